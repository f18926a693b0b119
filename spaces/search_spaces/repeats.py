"""A space with one more kind of dimension: the number of residual bottlenecks that each stage keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import final

from spaces.base import ArchSpec, Candidate, Integer, Origin, Parameter, ParameterRole, ParamValue, Space, SpaceError
from spaces.networks.graft import layer_parts
from spaces.search_spaces.names import REPEATS
from spaces.search_spaces.ratios import check
from spaces.structure.structure import Structure


@final
class RepeatsSpace(Space):
    """The parameters of another space, and `repeats.<stage>`: the number of residual bottlenecks that stay there.

    The least important ones are dropped first. A donor that has dropped more already keeps what it has.
    """

    def __init__(self, inner: Space, structure: Structure, order: Sequence[str], least: int = 0) -> None:
        """Define the space.

        Args:
            order: Names of the bottlenecks, the most important first (`importance.repeat_order`).
            least: Minimum number of bottlenecks that stay in each stage.

        Raises:
            SpaceError: If the parent has no residual bottleneck, or `least` is below 0.
        """
        if not structure.repeats:
            raise SpaceError("the parent has no residual bottleneck that could be dropped")
        if least < 0:
            raise SpaceError(f"the minimum number of bottlenecks is {least}; it must be 0 or more")
        self._inner, self._structure, self._least = inner, structure, least
        parts = layer_parts(structure)
        stage = {repeat.name: parts[repeat.layer] for repeat in structure.repeats}
        self._stages = {part: [name for name in order if stage[name] == part] for part in dict.fromkeys(stage.values())}

    @cached_property
    def _own(self) -> dict[str, Parameter]:
        return {
            REPEATS + stage: Integer(min(self._least, len(names)), len(names), role=ParameterRole.DEPTH)
            for stage, names in self._stages.items()
        }

    @cached_property
    def parameters(self) -> Mapping[str, Parameter]:
        """The parameters of the inner space, then one number for each stage that has residual bottlenecks."""
        return {**self._inner.parameters, **self._own}

    def decode(self, params: Mapping[str, ParamValue]) -> tuple[ArchSpec, Origin]:
        """Drop the least important bottlenecks of each stage."""
        check(self._own, {name: value for name, value in params.items() if name.startswith(REPEATS)})
        spec, origin = self._inner.decode({n: value for n, value in params.items() if not n.startswith(REPEATS)})
        dropped = set(spec.dropped)
        for stage, names in self._stages.items():
            there = [name for name in names if name not in spec.dropped]
            dropped.update(there[int(params[REPEATS + stage]) :])
        return self._structure.spec(spec.kept, dropped), origin

    def with_all(self, point: Mapping[str, ParamValue]) -> dict[str, ParamValue]:
        """Return a point of the inner space with all bottlenecks."""
        return {**{REPEATS + stage: len(names) for stage, names in self._stages.items()}, **point}

    def start_points(self) -> tuple[dict[str, ParamValue], ...]:
        """Return the start points of the inner space, with all bottlenecks."""
        return tuple(map(self.with_all, self._inner.start_points()))

    def nearest(self, shares: Sequence[float]) -> Mapping[str, ParamValue] | None:
        """Return the point of the inner space; it does not set the numbers of bottlenecks."""
        return self._inner.nearest(shares)

    def point_of_donor(self, checkpoint: str) -> Mapping[str, ParamValue] | None:
        """Return the point of the inner space with all bottlenecks."""
        point = self._inner.point_of_donor(checkpoint)
        return None if point is None else self.with_all(point)

    def build(self, spec: ArchSpec, origin: Origin) -> Candidate:
        """Build as the inner space does."""
        return self._inner.build(spec, origin)
