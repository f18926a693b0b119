"""Recipe of a training: a frozen set of values, named as Ultralytics names its training arguments.

To add a field: a field of `Recipe`; studies may then set it and search it. One that is no training argument of
Ultralytics also goes into `OURS` and is used in `objectives/training/trainer.py`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from objectives.quantities import BEST_F1, MAP50_95
from spaces.base import ParamValue, SpaceError
from spaces.suggestion import did_you_mean

OPTIMIZERS = ("auto", "SGD", "MuSGD", "Adam", "Adamax", "AdamW", "NAdam", "RAdam", "RMSprop")
KEEP = (MAP50_95.name, BEST_F1.name)


class RecipeError(SpaceError):
    """Fault of a training recipe. The message names the field, its value and what is right."""


def _number(default: float, low: float, high: float = math.inf) -> Any:
    """Return a field that must lie in [low, high]."""
    return field(default=default, metadata={"low": low, "high": high})


def _choice(default: str, options: tuple[str, ...]) -> Any:
    """Return a field that takes one of the options."""
    return field(default=default, metadata={"options": options})


@dataclass(frozen=True)
class Recipe:
    """A training recipe. Fields are Ultralytics' training arguments with Ultralytics' defaults, except as listed here.

    Differences from Ultralytics, whose defaults are meant for runs a hundred times as long:

    - the gradient is applied after every batch (`nbs = batch`), never accumulated up to 64 images;
    - `warmup_bias_lr` is 0.0, not 0.1: short runs end their warm-up after a few dozen steps, and biases that
      moved at 0.1 throw away what a pruned network has inherited;
    - `optimizer` is SGD, not `auto`. `auto` is allowed; below 10,000 steps it means AdamW at a learning rate of
      0.002 * 5 / (4 + classes), whatever `lr0` says;
    - `bn_momentum` is 0.1, torch's own, not Ultralytics' 0.03: in a few dozen steps an epoch BatchNorm's slower
      averages lag behind the weights. Three epochs on blood cells after a cut: mAP50-95 0.34 instead of 0.23;
    - `val_every`, `sparsity`, `distill`, `keep` are ours.

    Attributes:
        imgsz: Image size in px, square; a multiple of 32, the coarsest stride.
        lrf: Final learning rate as a share of `lr0`.
        close_mosaic: Mosaic, mixup and cutmix are off in the last `close_mosaic` epochs: in a run of as many or
            fewer epochs they never happen. 0 keeps them to the end.
        bn_momentum: Weight of the newest batch in BatchNorm's running statistics while training.
        val_every: Number of epochs between two scorings on `val`; the last epoch is always scored.
        sparsity: Strength of the L1 penalty on the scales of BatchNorm (network slimming); 0 = none.
        distill: Weight of the distillation loss (Ultralytics' `dis`, 6.0 there); 0 = none. Needs a teacher.
        keep: Score whose best epoch's weights are kept: val mAP50-95 or val F1.
    """

    epochs: int = _number(100, 1)
    batch: int = _number(16, 1)
    imgsz: int = _number(640, 32)
    optimizer: str = _choice("SGD", OPTIMIZERS)
    lr0: float = _number(0.01, 1e-8, 1.0)
    lrf: float = _number(0.01, 0.0, 1.0)
    cos_lr: bool = False
    momentum: float = _number(0.937, 0.0, 0.9999)
    weight_decay: float = _number(0.0005, 0.0, 1.0)
    warmup_epochs: float = _number(3.0, 0.0)
    warmup_momentum: float = _number(0.8, 0.0, 0.9999)
    warmup_bias_lr: float = _number(0.0, 0.0, 1.0)
    bn_momentum: float = _number(0.1, 0.0001, 1.0)
    box: float = _number(7.5, 0.0)
    cls: float = _number(0.5, 0.0)
    dfl: float = _number(1.5, 0.0)
    hsv_h: float = _number(0.015, 0.0, 1.0)
    hsv_s: float = _number(0.7, 0.0, 1.0)
    hsv_v: float = _number(0.4, 0.0, 1.0)
    degrees: float = _number(0.0, 0.0, 180.0)
    translate: float = _number(0.1, 0.0, 1.0)
    scale: float = _number(0.5, 0.0, 1.0)
    shear: float = _number(0.0, 0.0, 180.0)
    perspective: float = _number(0.0, 0.0, 0.001)
    flipud: float = _number(0.0, 0.0, 1.0)
    fliplr: float = _number(0.5, 0.0, 1.0)
    bgr: float = _number(0.0, 0.0, 1.0)
    mosaic: float = _number(1.0, 0.0, 1.0)
    mixup: float = _number(0.0, 0.0, 1.0)
    cutmix: float = _number(0.0, 0.0, 1.0)
    close_mosaic: int = _number(10, 0)
    val_every: int = _number(1, 1)
    sparsity: float = _number(0.0, 0.0)
    distill: float = _number(0.0, 0.0)
    keep: str = _choice(MAP50_95.name, KEEP)

    def __post_init__(self) -> None:
        for description in dataclasses.fields(self):
            object.__setattr__(self, description.name, _checked(description, getattr(self, description.name)))
        if self.imgsz % 32:
            nearest = max(32, round(self.imgsz / 32) * 32)
            raise RecipeError(f"recipe: 'imgsz' is {self.imgsz}; it must be a multiple of 32, such as {nearest}")

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Recipe:
        """Make a recipe from plain values; what is not named keeps its default.

        Raises:
            RecipeError: If a field is unknown (the nearest name is suggested) or a value out of its range.
        """
        for name in values:
            if name not in FIELDS:
                raise RecipeError(f"recipe: there is no field '{name}'; {did_you_mean(str(name), FIELDS)}")
        return cls(**values)

    def with_values(self, **values: Any) -> Recipe:
        """Return a copy with some fields changed.

        Raises:
            RecipeError: As `from_plain`.
        """
        return Recipe.from_plain({**self.as_plain(), **values}) if values else self

    def as_plain(self) -> dict[str, ParamValue]:
        """Return all fields as plain values, in a fixed order."""
        return {name: getattr(self, name) for name in FIELDS}

    @property
    def closing_augmentation(self) -> dict[str, ParamValue]:
        """Augmentation in the last `close_mosaic` epochs: each image by itself, none made of several."""
        return {name: getattr(self, name) for name in AUGMENTATION} | dict.fromkeys(JOINING, 0.0)

    @cached_property
    def key(self) -> str:
        """Hash of all fields (equal recipes, equal keys)."""
        return hashlib.sha256(json.dumps(self.as_plain(), sort_keys=True).encode()).hexdigest()[:32]


FIELDS = tuple(description.name for description in dataclasses.fields(Recipe))
"""Names of all fields, in order."""

AUGMENTATION = FIELDS[FIELDS.index("hsv_h") : FIELDS.index("close_mosaic") + 1]
"""Fields that set the augmentation of training images; a data set or a checkpoint may set them."""

JOINING = ("mosaic", "mixup", "cutmix")
"""Fields of `AUGMENTATION` that make one image of several; Ultralytics closes them together."""


def _checked(description: dataclasses.Field[Any], value: Any) -> ParamValue:
    """Return the value in its field's type; whole floats pass for integers, as YAML and samplers produce them."""
    name: str = description.name
    kind: type = type(description.default)
    if kind is bool or kind is str:
        if not isinstance(value, kind):
            right = "true or false" if kind is bool else "text"
            raise RecipeError(f"recipe: '{name}' is {value!r}; it must be {right}")
        return _option(name, value, description.metadata.get("options"))
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise RecipeError(f"recipe: '{name}' is {value!r}; it must be a number")
    if kind is int and value != int(value):
        raise RecipeError(f"recipe: '{name}' is {value!r}; it must be a whole number")
    low, high = description.metadata["low"], description.metadata["high"]
    if not low <= value <= high:
        right = f"at least {low}" if high == math.inf else f"in [{low}, {high}]"
        raise RecipeError(f"recipe: '{name}' is {value!r}; it must be {right}")
    checked: ParamValue = kind(value)
    return checked


def _option(name: str, value: ParamValue, options: tuple[str, ...] | None) -> ParamValue:
    """Return the option that is meant; upper and lower case do not matter, as in Ultralytics."""
    if options is None:
        return value
    by_lower = {option.lower(): option for option in options}
    if str(value).lower() not in by_lower:
        raise RecipeError(f"recipe: '{name}' is '{value}'; it must be one of {', '.join(options)}")
    return by_lower[str(value).lower()]
