"""The sections of a study's YAML. Inert data: reading one touches no device, no environment and no other file."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, field_validator, model_validator

from search.study_faults import FieldFault
from search.study_recipe import RecipeDefinition, read_recipe

PARENT_NAME = "parent"
SCRATCH_NAME = "scratch"
ROW_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")

Recipe = Annotated[
    RecipeDefinition, PlainValidator(read_recipe), PlainSerializer(lambda recipe: recipe.as_plain(), return_type=dict)
]
Ratio = Annotated[float, Field(gt=0, le=1)]


class Section(BaseModel):
    """A section of the YAML: frozen, unknown keys refused, no value of one type passes for another."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class DataSection(Section):
    """The data set.

    Attributes:
        source: `digits`, or the path of an Ultralytics data set YAML (from the working directory).
        imgsz: Image size in px, square, of training and latency; null: the data's, the checkpoint's, or 640.
    """

    source: str = Field(min_length=1)
    imgsz: int | None = Field(default=None, ge=32, multiple_of=32)


class ParentSection(Section):
    """The trained dense detector that everything is cut from.

    Attributes:
        model: Ultralytics model YAML: the structure, where the weights do not name one.
        weights: `.pt`, `.safetensors` or one of our checkpoint folders; null trains from fresh weights.
        recipe: How it is trained; not used where the weights are already those of a detector for these classes.
    """

    model: str = "yolov8n.yaml"
    weights: str | None = None
    recipe: Recipe = Field(default_factory=RecipeDefinition)

    @field_validator("model")
    @classmethod
    def _is_yaml(cls, model: str) -> str:
        if not model.endswith((".yaml", ".yml")):
            raise FieldFault("", f"is '{model}'; it must be a .yaml such as yolov8n.yaml, weights go to parent.weights")
        return model

    @field_validator("recipe")
    @classmethod
    def _fixed(cls, recipe: RecipeDefinition) -> RecipeDefinition:
        return _without_ranges(recipe)


class ReferenceSection(Section):
    """A network made beside the search: a donor or a control.

    Attributes:
        name: What it is called in tables and as the sampler's option.
        source: `from:` what it is cut from.
        ratio: Share of the source's channels that stay, in (0, 1].
        recipe: How it is trained; fields that it leaves out are those of the study's `recipe`.
    """

    name: str
    source: str = Field(alias="from")
    ratio: Ratio
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
        return _without_ranges(recipe)


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
    """One donor's backbone, another's head (neck and detect), cut further by one ratio a stage."""

    type: Literal["graft"]


class ChannelsSection(RatioSection):
    """One ratio a channel group, straight from the parent."""

    type: Literal["channels"]


class TargetSection(Section):
    """Where latency is measured. Its image size is the study's."""

    runtime: str = Field(default="onnxruntime", min_length=1)
    provider: str = Field(default="cpu", min_length=1)
    precision: Literal["fp32", "fp16", "int8"] = "fp32"
    batch: int = Field(default=1, ge=1)
    threads: int = Field(default=1, ge=1)


class AccuracySection(Section):
    """At which confidence and matching IoU precision, recall and F1 are read; mAP does not depend on them."""

    confidence: float = Field(default=0.5, gt=0, lt=1)
    iou: float = Field(default=0.5, gt=0, lt=1)


class SamplerSection(Section):
    """Who proposes the next trial; `tpe` is the multivariate one."""

    name: Literal["tpe", "nsga2", "nsga3", "gp", "qmc", "random"] = "tpe"


def _without_ranges(recipe: RecipeDefinition) -> RecipeDefinition:
    for name in recipe.searched:
        raise FieldFault(name.removeprefix("recipe."), "is a range; only the study's own recipe is searched")
    return recipe


def known_fields(section: type[BaseModel]) -> list[str]:
    """The keys that a section may have, as they stand in YAML."""
    return [description.alias or name for name, description in section.model_fields.items()]


def in_full(plain: dict[str, Any]) -> dict[str, Any]:
    """Write the short form `data: digits` in full, so that `data.imgsz` can be set."""
    if isinstance(plain.get("data"), str):
        return {**plain, "data": {"source": plain["data"]}}
    return plain
