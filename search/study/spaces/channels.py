"""One ratio a channel group, cut from the parent in one step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from search.study.cuts import COMPARABLE, Criterion, OrderCriterion
from search.study.spaces.base import Layout, LayoutTools, RatioGrid, SpaceSection
from search.study.spaces.depth import check_repeats, with_repeats
from search.study.spaces.ranked_cuts import hint_shares, shares_of_cuts
from spaces.base import ParamValue

if TYPE_CHECKING:
    from spaces.networks.graft import Donor
    from spaces.networks.parent import Parent
    from spaces.search_spaces.channels import ChannelRatioSpace

START_SHARES = (0.75, 0.5, 0.3)
"""Shares of the parent's FLOPs that start points keep."""


class ChannelsSection(SpaceSection, RatioGrid):
    """One ratio a channel group, straight from the parent.

    Attributes:
        criterion: What makes a channel important.
        repeats: As for grafts.
        starts: Which cuts the first trials take: `uniform`; `global`, one ranking of all channels; `sensitivity`, which
            measures a map first. If none are named, the sampler chooses cuts by its sensitivity analysis. Without the
            analysis it takes those of one ranking, if the criterion's scores compare across groups, else uniform ones.
    """

    type: Literal["channels"]
    criterion: OrderCriterion = "taylor"
    repeats: bool = False
    starts: tuple[Literal["uniform", "global", "sensitivity"], ...] = Field(default=(), strict=False)

    def layout(self, tools: LayoutTools, donors: Mapping[str, Donor]) -> Layout:
        """Lay out the ratios of the parent's channel groups."""
        from spaces.search_spaces.channels import ChannelRatioSpace

        orders = tools.rank_channels(self.criterion, tools.parent.as_candidate())
        space = ChannelRatioSpace(
            tools.parent, orders, low=self.low, high=self.high, step=self.step, multiple=self.multiple
        )
        return with_repeats(
            self.repeats, space, tools.parent, tuple(self._starts(space, tools)), tuple(self._hints(space, tools))
        )

    def _starts(self, space: ChannelRatioSpace, tools: LayoutTools) -> Iterator[Mapping[str, ParamValue]]:
        default: tuple[Literal["uniform", "global"], ...] = ("global" if self.criterion in COMPARABLE else "uniform",)
        for kind in self.starts or default:
            if kind == "uniform":
                yield from space.start_points()
            else:
                yield from map(space.nearest, shares_of_cuts(tools, kind, self.criterion, self.multiple, START_SHARES))

    def _hints(self, space: ChannelRatioSpace, tools: LayoutTools) -> Iterator[Mapping[str, ParamValue]]:
        if self.criterion in COMPARABLE:
            shares = hint_shares(self.low)
            yield from map(space.nearest, shares_of_cuts(tools, "global", self.criterion, self.multiple, shares))

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
        """True if the first trials are sensitivity cuts."""
        return "sensitivity" in self.starts

    @property
    def drops_bottlenecks(self) -> bool:
        """True if the number of residual bottlenecks is searched."""
        return self.repeats

    @property
    def fixes_start_points(self) -> bool:
        """True if the study names its start points."""
        return bool(self.starts)

    def check_parent(self, parent: Parent) -> None:
        """Check that the parent has bottlenecks, if their number is searched."""
        check_repeats(self.repeats, parent)
