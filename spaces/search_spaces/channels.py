"""The space of one ratio per channel group, cut from the parent in one step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import final

from spaces.base import PARENT, ArchSpec, Candidate, Origin, Parameter, ParamValue, Space
from spaces.networks.parent import Parent
from spaces.ranking.slices import ChannelSlices
from spaces.ranking.widths import aligned
from spaces.search_spaces.names import RATIO
from spaces.search_spaces.ratios import RatioRange, check
from spaces.structure.groups import tied


@final
class ChannelRatioSpace(Space):
    """Parameters: `ratio.<group>`, the share of the group's channels that stay; tied groups share `ratio.<tie>`."""

    def __init__(
        self,
        parent: Parent,
        orders: Mapping[str, Sequence[int]],
        low: float = 0.25,
        high: float = 1.0,
        step: float | None = 0.125,
        multiple: int = 8,
    ) -> None:
        """Define the space.

        Args:
            orders: For each group its channels, best first (`importance.order` of the parent).

        Raises:
            SpaceError: If the range is not within (0, 1].
        """
        self._parent = parent
        self._range = RatioRange(low, high, step, multiple)
        self._structure = parent.structure
        self._slices = ChannelSlices(self._structure.groups, orders)
        self._widths = [(RATIO + (group.tie or group.name), group.width) for group in self._structure.groups]
        self._origin = Origin((PARENT,) * len(self._structure.layer_sections))

    @cached_property
    def parameters(self) -> Mapping[str, Parameter]:
        """One ratio for each group, or for the groups of a tie."""
        return self._range.parameters(tied(self._structure.groups))

    def decode(self, params: Mapping[str, ParamValue]) -> tuple[ArchSpec, Origin]:
        """Keep the most important channels of each group."""
        check(self.parameters, params)
        widths = [aligned(width, float(params[name]), self._range.multiple) for name, width in self._widths]
        return self._structure.spec(self._slices.kept(widths)), self._origin

    def nearest(self, shares: Sequence[float]) -> dict[str, ParamValue]:
        """Return the ratios on their grid that are nearest to these shares."""
        ratio = self._range.ratio
        return {name: ratio.nearest(share) for (name, _), share in zip(self._widths, shares, strict=True)}

    def build(self, spec: ArchSpec, origin: Origin) -> Candidate:
        """Build with the parent's weights."""
        return self._parent.build(spec, origin)
