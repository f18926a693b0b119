"""Parts of donors, joined and cut further."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from search.study.cuts import COMPARABLE, Criterion, OrderCriterion
from search.study.rows import PARENT_NAME
from search.study.spaces.base import Layout, LayoutTools, RatioGrid, SpaceSection
from search.study.spaces.depth import check_repeats, with_repeats
from search.study.spaces.ranked_cuts import hint_shares, shares_of_cuts
from spaces.base import PARENT, ParamValue
from spaces.search_spaces.names import DONOR

if TYPE_CHECKING:
    from spaces.networks.graft import Donor
    from spaces.networks.parent import Parent
    from spaces.search_spaces.grafts import GraftSpace


class GraftSection(SpaceSection, RatioGrid):
    """Parts of donors joined, cut further by ratios.

    Attributes:
        parts: `sections`: one donor's backbone, another's head (neck and detect); `stages`: a donor for each of P1
            to P5, neck and detect.
        ratios: One a stage, or one a channel group.
        from_parent: Whether the parent is a donor too; with one ratio a channel group, the space then contains every
            network of the space `channels`.
        criterion: What makes a channel of a donor important.
        repeats: Whether the number of residual bottlenecks of each stage is searched too.
    """

    takes_from_donors: ClassVar[str] = "a graft takes its backbone and its head from donors"

    type: Literal["graft"]
    parts: Literal["sections", "stages"] = "sections"
    ratios: Literal["stage", "group"] = "stage"
    from_parent: bool = False
    criterion: OrderCriterion = "taylor"
    repeats: bool = False

    def layout(self, tools: LayoutTools, donors: Mapping[str, Donor]) -> Layout:
        """Lay out the grafts of these donors."""
        from spaces.networks.graft import Donor
        from spaces.search_spaces.grafts import GraftSpace

        if self.from_parent:
            donors = {PARENT_NAME: Donor(PARENT, tools.parent.as_candidate()), **donors}
        space = GraftSpace(
            tools.parent,
            donors,
            low=self.low,
            high=self.high,
            step=self.step,
            multiple=self.multiple,
            parts=self.parts,
            ratios=self.ratios,
            orders={name: tools.rank_channels(self.criterion, donor.candidate) for name, donor in donors.items()},
        )
        return with_repeats(self.repeats, space, tools.parent, hints=tuple(self._hints(space, tools)))

    def _hints(self, space: GraftSpace, tools: LayoutTools) -> Iterator[Mapping[str, ParamValue]]:
        """Yield cuts of the parent by one ranking of all channels, if the space contains them."""
        if self.criterion not in COMPARABLE:
            return
        for shares in shares_of_cuts(tools, "global", self.criterion, self.multiple, hint_shares(self.low)):
            point = space.nearest(shares)
            if point is None:
                return
            yield point

    @property
    def order_criterion(self) -> Criterion:
        """Criterion by which the channels of a group are ordered."""
        return self.criterion

    @classmethod
    def describe(cls, params: Mapping[str, ParamValue]) -> str:
        """Name the donors: `one-shot + round-3`, or `one-shot P1 P2 P3, global P4 P5 neck detect`."""
        if {"backbone", "head"} <= params.keys():
            return f"{params['backbone']} + {params['head']}"
        parts: dict[str, list[str]] = {}
        for name, value in params.items():
            if name.startswith(DONOR):
                parts.setdefault(str(value), []).append(name.removeprefix(DONOR))
        return ", ".join(f"{donor} {' '.join(names)}" for donor, names in parts.items())

    @property
    def ranks_by_scales(self) -> bool:
        """True if BatchNorm scales rank channels of the donors."""
        return self.criterion == "batchnorm"

    @property
    def drops_bottlenecks(self) -> bool:
        """True if the number of residual bottlenecks is searched."""
        return self.repeats

    @property
    def fixes_start_points(self) -> bool:
        """True: a sensitivity analysis of the parent cannot rank grafts of donors."""
        return True

    def check_parent(self, parent: Parent) -> None:
        """Check that the parent has bottlenecks, if their number is searched."""
        check_repeats(self.repeats, parent)
