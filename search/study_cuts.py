"""The sections of a study's YAML that say what is cut and how: donors, controls, and the space."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from search.study_faults import FieldFault
from search.study_recipe import RecipeDefinition
from search.study_sections import Ratio, Recipe, Section, without_ranges

PARENT_NAME = "parent"
SCRATCH_NAME = "scratch"
ROW_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")

Cut = Literal["uniform", "global", "slimming", "sensitivity"]
Criterion = Literal["l1", "l2", "lamp", "taylor", "batchnorm", "random"]
OrderCriterion = Literal["l1", "l2", "lamp", "taylor", "batchnorm"]
"""What a search may order channels by; random is for controls."""


class ReferenceSection(Section):
    """A network made beside the search: a donor or a control.

    Attributes:
        name: What it is called in tables and as the sampler's option.
        source: `from:` what it is cut from.
        ratio: Share of the source's channels that stay, in (0, 1]; where they go is up to `cut`.
        flops: Instead of `ratio`: share of the source's FLOPs that stays.
        cut: `uniform`: every group alike; `global`: all channels of the network in one ranking; `slimming`: the
            same by the scales of BatchNorm, after training with sparsity; `sensitivity`: most where it hurts least.
        criterion: What makes a channel important.
        model: Instead of `from:`: a detector of its own, `yolov8s.yaml`, trained whole: the stock family as a
            point to compare with.
        weights: What `model` starts from.
        recipe: How it is trained; fields that it leaves out are those of the study's `recipe`.
    """

    name: str
    source: str | None = Field(default=None, alias="from")
    ratio: Ratio | None = None
    flops: Ratio | None = None
    cut: Cut = "uniform"
    criterion: Criterion = "l2"
    model: str | None = None
    weights: str | None = None
    recipe: Recipe = Field(default_factory=RecipeDefinition)

    @field_validator("name")
    @classmethod
    def _named(cls, name: str) -> str:
        if not ROW_NAME.fullmatch(name) or name in (PARENT_NAME, SCRATCH_NAME):
            raise FieldFault(
                "",
                f"is '{name}'; it must be up to 40 letters, digits, dots, dashes or underscores, beginning with a "
                f"letter or digit, and neither {PARENT_NAME} nor {SCRATCH_NAME}",
            )
        return name

    @field_validator("recipe")
    @classmethod
    def _fixed(cls, recipe: RecipeDefinition) -> RecipeDefinition:
        return without_ranges(recipe)

    @model_validator(mode="after")
    def _is_cut_or_model(self) -> ReferenceSection:
        if self.model is not None or self.weights is not None:
            cut = ((name, getattr(self, name)) for name in ("cut", "criterion") if name in self.model_fields_set)
            for name, value in (("from", self.source), ("ratio", self.ratio), ("flops", self.flops), *cut):
                if value is not None:
                    raise FieldFault(name, "is set, and so is model; a row is cut from something or a model of its own")
            return self
        if self.source is None:
            raise FieldFault("from", "is missing; it says what this is cut from (or model, for one of its own)")
        if self.ratio is None and self.flops is None:
            raise FieldFault("ratio", "is missing; it is the share of channels that stay (or flops, that of FLOPs)")
        if self.ratio is not None and self.flops is not None:
            raise FieldFault("flops", "and ratio exclude each other; keep one of them")
        _check_cut(self.cut, self.criterion)
        if self.cut == "sensitivity" and self.flops is None:
            raise FieldFault("ratio", "means nothing to a cut by sensitivity; give flops")
        return self


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
        starts: Which cuts the first trials take: `uniform`; `sensitivity` measures a map first.
    """

    type: Literal["channels"]
    criterion: OrderCriterion = "l2"
    repeats: bool = False
    starts: tuple[Literal["uniform", "sensitivity"], ...] = Field(default=("uniform",), strict=False)


class BaselineSection(RatioSection):
    """A way of cutting that others use, swept over the share of FLOPs that stays (low to high).

    Attributes:
        cut: See `ReferenceSection`.
        criterion: See `ReferenceSection`.
    """

    type: Literal["baseline"]
    cut: Cut = "uniform"
    criterion: Criterion = "l2"

    @model_validator(mode="after")
    def _scales_rank(self) -> BaselineSection:
        _check_cut(self.cut, self.criterion)
        return self


def _check_cut(cut: str, criterion: str) -> None:
    if cut == "slimming" and criterion != "batchnorm":
        raise FieldFault("criterion", f"is '{criterion}'; slimming ranks by BatchNorm's scales: batchnorm")
