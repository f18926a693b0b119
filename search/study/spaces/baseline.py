"""A known way of cutting, swept over how much it cuts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import model_validator

from search.study.cuts import Criterion, Cut, check_cut
from search.study.spaces.base import Layout, LayoutTools, RatioGrid, SpaceSection

if TYPE_CHECKING:
    from spaces.networks.graft import Donor


class BaselineSection(SpaceSection, RatioGrid):
    """A way of cutting that others use, swept over the share of FLOPs that stays (low to high).

    Attributes:
        cut: See `search.study.rows.RowSection`.
        criterion: What makes a channel important.
    """

    uses_sensitivity: ClassVar[bool] = False  # the sampler chooses no widths

    type: Literal["baseline"]
    cut: Cut = "uniform"
    criterion: Criterion = "l2"

    @model_validator(mode="after")
    def _scales_rank(self) -> BaselineSection:
        check_cut(self.cut, self.criterion)
        return self

    def layout(self, tools: LayoutTools, donors: Mapping[str, Donor]) -> Layout:
        """Lay out the sweep over the share of the parent's FLOPs."""
        from spaces.search_spaces.baselines import BaselineSpace

        cutter = tools.cutter(self.cut, self.criterion, self.multiple)
        space = BaselineSpace(cutter, tools.flops_function(), self.low, self.high, self.step)
        return Layout(space, space.start_points())

    @property
    def order_criterion(self) -> Criterion:
        """Criterion by which the channels of a group are ordered."""
        return self.criterion

    @property
    def ranks_by_scales(self) -> bool:
        """True if BatchNorm scales rank channels of the parent."""
        return self.criterion == "batchnorm"

    @property
    def needs_sensitivity_map(self) -> bool:
        """True if cuts go by sensitivity."""
        return self.cut == "sensitivity"
