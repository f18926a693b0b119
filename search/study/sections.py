"""Sections of a study's YAML. Inert data: reading one touches no device, no environment and no other file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, field_validator, model_validator

from objectives.data.split import Selection
from objectives.runtimes.names import name_of
from search.study.choices import SamplerName, StoppingRuleName
from search.study.faults import FieldFault
from search.study.options import target_in_full
from search.study.recipe import RecipeDefinition, read_recipe

Recipe = Annotated[
    RecipeDefinition, PlainValidator(read_recipe), PlainSerializer(lambda recipe: recipe.as_plain(), return_type=dict)
]
Ratio = Annotated[float, Field(gt=0, le=1)]


class Section(BaseModel):
    """Section of the YAML: frozen; unknown keys are refused, and a value must have its own type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class DataSection(Section):
    """Data set.

    Attributes:
        source: `digits`, or the path of an Ultralytics data set YAML (from the working directory).
        imgsz: Image size in px, square, of the parent, of the target's reference, and of every recipe that sets no
            other; null: the data's, the checkpoint's, or 640.
        skip_bad: True if a few images that cannot be used (at most 5 %) are left out, with a warning.
        classes: Numbers of the classes whose labels count; null for all.
        single_cls: True if all labels are taken as labels of one class.
        fraction: Share of train's images that is used: the first ones.
    """

    source: str = Field(min_length=1)
    imgsz: int | None = Field(default=None, ge=32, multiple_of=32)
    # Studies before these fields did not have them.
    skip_bad: bool = Field(default=False, exclude_if=lambda skipped: not skipped)
    classes: tuple[int, ...] | None = Field(
        default=None, strict=False, min_length=1, exclude_if=lambda given: not given
    )
    single_cls: bool = Field(default=False, exclude_if=lambda single: not single)
    fraction: float = Field(default=1.0, gt=0, le=1, exclude_if=lambda share: share == 1)

    @property
    def selection(self) -> Selection:
        """Part of the data set that is used."""
        return Selection(self.classes, self.single_cls, self.fraction)


def without_ranges(recipe: RecipeDefinition) -> RecipeDefinition:
    """Return the recipe of something that is trained once.

    Raises:
        FieldFault: If a field is a range.
    """
    for name in recipe.searched:
        raise FieldFault(name.removeprefix("recipe."), "is a range; only the study's own recipe is searched")
    return recipe


class ParentSection(Section):
    """Trained dense detector that everything is cut from.

    Attributes:
        model: Ultralytics model YAML: the structure, where the weights do not name one.
        weights: `.pt`, `.safetensors` or one of our checkpoint folders; null trains from fresh weights.
        as_is: True if the weights are a detector of the data's classes, in the same order, whatever their names are.
        recipe: How it is trained; not used where the weights are already those of a detector for these classes.
    """

    model: str = "yolov8n.yaml"
    weights: str | None = None
    as_is: bool = Field(default=False, exclude_if=lambda given: not given)  # studies before it had no such field
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
        if "imgsz" in recipe.fixed:
            raise FieldFault("imgsz", "is not set here; the parent has the study's image size, data.imgsz")
        return without_ranges(recipe)


class TargetSection(Section):
    """Target of latency. Its image size is the study's. A name such as `openvino-cpu` is its short form.

    Attributes:
        remote: Name of another machine (`yolofront bench --unpack DIR --name jetson`): latencies are predicted
            from what was measured there, with this provider, precision, batch and threads.
        float_head: Keep the last convolutions of the detection head in float32; for int8 alone.
        nms: Time the network with non-maximum suppression, of the same boxes for every network.
    """

    remote: str | None = Field(default=None, min_length=1)
    runtime: str = Field(default="onnxruntime", min_length=1)
    provider: str = Field(default="cpu", min_length=1)
    precision: Literal["fp32", "fp16", "int8"] = "fp32"
    batch: int = Field(default=1, ge=1)
    threads: int = Field(default=1, ge=1)
    nms: bool = False
    float_head: bool = Field(default=False, exclude_if=lambda kept: not kept)  # studies before it had no such field

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, given: Any) -> Any:
        return target_in_full(given)

    @model_validator(mode="after")
    def _nms_is_here(self) -> TargetSection:
        if self.nms and self.remote is not None:
            raise FieldFault("nms", f"is true, but what was measured on {self.remote} is without; leave it out")
        if self.float_head and (self.precision != "int8" or self.remote is not None):
            where = self.remote or self.precision
            raise FieldFault("float_head", f"is true, but the target is {where}; it is for int8 on this machine")
        return self

    @property
    def name(self) -> str:
        """Name among the targets of a study: `openvino-cpu-int8`, `ort-cpu-4-threads`."""
        name = name_of(self.runtime, self.provider, self.precision)
        name = f"{self.remote}-{name}" if self.remote else name
        threads = "" if self.threads == 1 else f"-{self.threads}-threads"
        batch = "" if self.batch == 1 else f"-batch-{self.batch}"
        return f"{name}{threads}{batch}" + ("-nms" if self.nms else "") + ("-float-head" if self.float_head else "")


def check_targets_differ(target: TargetSection, further: Sequence[TargetSection]) -> None:
    """Check that no target stands twice.

    Raises:
        FieldFault: If a further target is the study's own or an earlier one.
    """
    names = [target.name]
    for position, each in enumerate(further):
        if each.name in names:
            raise FieldFault(f"further_targets.{position}", f"is {each.name}, which is measured already")
        names.append(each.name)


class AccuracySection(Section):
    """Confidence and matching IoU for precision, recall and F1; mAP does not depend on them."""

    confidence: float = Field(default=0.5, gt=0, lt=1)
    iou: float = Field(default=0.5, gt=0, lt=1)


class SamplerSection(Section):
    """Sampler, which proposes the next trial: `front` is our own, `tpe` is Optuna's multivariate one."""

    name: SamplerName = "front"


class RungsSection(Section):
    """Rule that stops trials at a rung, an epoch at which they are scored.

    `front` stops a trial whose upper confidence bound is below the front at its own latency; `mo-asha` stops all but
    the best third at epochs 1, 3, 9, ...; `none` stops nothing.
    """

    rule: StoppingRuleName = "front"


def known_fields(section: type[BaseModel]) -> list[str]:
    """Return the keys that a section may have, as they stand in YAML."""
    return [description.alias or name for name, description in section.model_fields.items()]
