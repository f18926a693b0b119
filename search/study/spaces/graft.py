"""Parts of donors, joined and cut further."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from search.study.cuts import OrderCriterion
from search.study.spaces.base import Layout, LayoutTools, RatioGrid, SpaceSection
from search.study.spaces.depth import check_repeats, with_repeats
from spaces.base import ParamValue
from spaces.search_spaces.names import DONOR

if TYPE_CHECKING:
    from spaces.networks.graft import Donor
    from spaces.networks.parent import Parent


class GraftSection(SpaceSection, RatioGrid):
    """Parts of donors joined, cut further by ratios.

    Attributes:
        parts: `sections`: one donor's backbone, another's head (neck and detect); `stages`: a donor for each of P1
            to P5, neck and detect.
        ratios: One a stage, or one a channel group.
        criterion: What makes a channel of a donor important.
        repeats: Whether the number of residual bottlenecks of each stage is searched too.
    """

    takes_from_donors: ClassVar[str] = "a graft takes its backbone and its head from donors"

    type: Literal["graft"]
    parts: Literal["sections", "stages"] = "sections"
    ratios: Literal["stage", "group"] = "stage"
    criterion: OrderCriterion = "l2"
    repeats: bool = False

    def layout(self, tools: LayoutTools, donors: Mapping[str, Donor]) -> Layout:
        """Lay out the grafts of these donors."""
        from spaces.search_spaces.grafts import GraftSpace

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
        return with_repeats(self.repeats, space, tools.parent)

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
        """Whether BatchNorm scales rank channels of the donors."""
        return self.criterion == "batchnorm"

    @property
    def drops_bottlenecks(self) -> bool:
        """Whether the number of residual bottlenecks is searched."""
        return self.repeats

    def check_parent(self, parent: Parent) -> None:
        """Check that the parent has bottlenecks, if their number is searched."""
        check_repeats(self.repeats, parent)
