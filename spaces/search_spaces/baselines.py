"""The space of one parameter: one allocation, swept over the share of FLOPs that stays.

A search has to beat its front at equal cost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import final

from spaces.allocation.allocation import Cutter
from spaces.base import PARENT, ArchSpec, Candidate, Float, Origin, Parameter, ParamValue, Space, SpaceError
from spaces.search_spaces.ratios import check

SHARE = "flops"


@final
class BaselineSpace(Space):
    """Parameter: `flops`, the share of the parent's FLOPs that stays."""

    def __init__(
        self, cutter: Cutter, cost: Callable[[ArchSpec], float], low: float, high: float, step: float | None
    ) -> None:
        """Define the space.

        Args:
            cutter: Cutter of the parent.
            cost: Returns the FLOPs of a spec.

        Raises:
            SpaceError: If the range is not within (0, 1].
        """
        if not 0 < low <= high <= 1:
            raise SpaceError(f"flops from {low} to {high} are not within (0, 1]")
        self._cutter, self._cost = cutter, cost
        self._share = Float(low, high, step)
        self._known: dict[float, ArchSpec] = {}  # the search for a share takes about 25 cuts

    @cached_property
    def parameters(self) -> Mapping[str, Parameter]:
        """The share of FLOPs."""
        return {SHARE: self._share}

    def decode(self, params: Mapping[str, ParamValue]) -> tuple[ArchSpec, Origin]:
        """Return the cut that keeps most within that share."""
        check(self.parameters, params)
        share = min(1.0, float(params[SHARE]))
        if share not in self._known:
            self._known[share] = self._cutter.at_share(share, self._cost)
        return self._known[share], Origin((PARENT,) * len(self._cutter.parent.layer_sections))

    def build(self, spec: ArchSpec, origin: Origin) -> Candidate:
        """Build with the parent's weights."""
        return self._cutter.parent.build(spec, origin)
