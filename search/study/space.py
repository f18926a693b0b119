"""The `space:` section of a study's YAML: what is searched, and by which rules channels are chosen."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from search.study.faults import FieldFault
from search.study.sections import Ratio, Section

Cut = Literal["uniform", "global", "slimming", "sensitivity"]
Criterion = Literal["l1", "l2", "lamp", "taylor", "batchnorm", "random"]
OrderCriterion = Literal["l1", "l2", "lamp", "taylor", "batchnorm"]
"""What a search may order channels by; random is for controls."""


class RatioSection(Section):
    """The grid of channel ratios of a space.

    Attributes:
        low: Smallest share of channels that stay.
        high: Greatest share.
        step: Distance of two ratios on the grid.
        multiple: Widths are multiples of this many channels; runtimes are slow at odd widths.
    """

    low: Ratio = 0.5
    high: Ratio = 1.0
    step: Ratio = 0.125
    multiple: int = Field(default=8, ge=1)

    @model_validator(mode="after")
    def _is_grid(self) -> RatioSection:
        if not self.low < self.high:
            raise FieldFault("low", f"is {self.low}; it must be below high, {self.high}")
        steps = (self.high - self.low) / self.step
        if abs(steps - round(steps)) > 1e-6 or steps < 1 - 1e-6:
            raise FieldFault("step", f"is {self.step}; it must divide the range from {self.low} to {self.high}")
        return self


class GraftSection(RatioSection):
    """Parts of donors joined, cut further by ratios.

    Attributes:
        parts: `sections`: one donor's backbone, another's head (neck and detect); `stages`: a donor for each of P1
            to P5, neck and detect.
        ratios: One a stage, or one a channel group.
        criterion: What makes a channel of a donor important.
        repeats: Whether the number of residual bottlenecks of each stage is searched too.
    """

    type: Literal["graft"]
    parts: Literal["sections", "stages"] = "sections"
    ratios: Literal["stage", "group"] = "stage"
    criterion: OrderCriterion = "l2"
    repeats: bool = False


class ChannelsSection(RatioSection):
    """One ratio a channel group, straight from the parent.

    Attributes:
        criterion: What makes a channel important.
        repeats: As for grafts.
        starts: Which cuts the first trials take: `uniform`; `sensitivity` measures a map first. If none are named,
            those that the sampler chooses where it knows what halving each layer does, else uniform ones.
    """

    type: Literal["channels"]
    criterion: OrderCriterion = "l2"
    repeats: bool = False
    starts: tuple[Literal["uniform", "sensitivity"], ...] = Field(default=(), strict=False)


class BaselineSection(RatioSection):
    """A way of cutting that others use, swept over the share of FLOPs that stays (low to high).

    Attributes:
        cut: See `search.study.rows.RowSection`.
        criterion: What makes a channel important.
    """

    type: Literal["baseline"]
    cut: Cut = "uniform"
    criterion: Criterion = "l2"

    @model_validator(mode="after")
    def _scales_rank(self) -> BaselineSection:
        check_cut(self.cut, self.criterion)
        return self


def check_cut(cut: str, criterion: str) -> None:
    """Raise `FieldFault` if a way of cutting cannot go by that criterion."""
    if cut == "slimming" and criterion != "batchnorm":
        raise FieldFault("criterion", f"is '{criterion}'; slimming ranks by BatchNorm's scales: batchnorm")
