"""`recipe:` sections of a study: fixed values, searched ranges, and the source of all other values."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from objectives.device.target import STRIDE
from objectives.recipe import AUGMENTATION, Recipe, RecipeError
from search.study.faults import FieldFault, unknown_key
from spaces.base import Categorical, Float, Integer, Parameter, ParamValue

RECIPE_PREFIX = "recipe."
"""Prefix of the parameter of a searched field: `recipe.lr0`."""

FIELDS = {each.name: each for each in dataclasses.fields(Recipe)}
"""Fields that a study's recipe may set, by name."""

GRID = {"imgsz": STRIDE}
"""Number that a whole number must be a multiple of, by field."""

LONGEST = ("epochs", "imgsz")
"""Searched fields whose greatest value makes the longest trial."""


class Source(StrEnum):
    """Source of a recipe's value, strongest first."""

    STUDY = "study"
    DATA = "data"
    CHECKPOINT = "checkpoint"
    DEFAULT = "default"


@dataclass(frozen=True)
class Resolved:
    """Value of a recipe with its source."""

    value: ParamValue
    source: Source


@dataclass(frozen=True)
class RecipeDefinition:
    """Section `recipe:`. `resolve_recipe` settles the fields that it leaves out.

    Attributes:
        fixed: Fields with one value, by name.
        searched: Fields with a range, as the sampler's parameters: `recipe.lr0`, `recipe.epochs`, ...
    """

    fixed: Mapping[str, ParamValue] = field(default_factory=dict)
    searched: Mapping[str, Parameter] = field(default_factory=dict)

    def as_plain(self) -> dict[str, Any]:
        """Return the section as it would stand in YAML; equal sections give equal values."""
        ranges = {name.removeprefix(RECIPE_PREFIX): _plain_range(value) for name, value in self.searched.items()}
        both = {**self.fixed, **ranges}
        return {name: both[name] for name in FIELDS if name in both}

    def longest(self) -> dict[str, ParamValue]:
        """Return the fixed values, and the greatest of what is searched and decides how long a trial takes."""
        found = {
            name: _greatest(self.searched[RECIPE_PREFIX + name])
            for name in LONGEST
            if RECIPE_PREFIX + name in self.searched
        }
        return {**self.fixed, **found}


def read_recipe(raw: Any) -> RecipeDefinition:
    """Read a `recipe:` section: a field is a value, `{low:, high:, step:, log:}`, `{choices: [...]}` or null.

    Raises:
        FieldFault: If a field is unknown or its value or range is wrong.
    """
    if isinstance(raw, RecipeDefinition):
        return raw
    if raw is None:
        return RecipeDefinition()
    if not isinstance(raw, Mapping):
        raise FieldFault("", f"is {raw!r}; it must be a section of fields such as {{epochs: 3}}")
    fixed: dict[str, ParamValue] = {}
    searched: dict[str, Parameter] = {}
    for name, value in raw.items():
        if name not in FIELDS:
            raise FieldFault(str(name), unknown_key(str(name), FIELDS))
        if isinstance(value, Mapping):
            searched[RECIPE_PREFIX + name] = _read_range(name, value)
        elif value is not None:
            fixed[name] = _checked(name, value)
    return RecipeDefinition(fixed, searched)


def image_size(asked: int | None, data_defaults: Mapping[str, ParamValue], checkpoint: int | None) -> Resolved:
    """Return the study's image size in px: its own, else the data set's, else the checkpoint's, else Ultralytics' 640.

    It is that of the parent, of the latency target, and of every recipe that sets no other.
    """
    known = ((asked, Source.STUDY), (data_defaults.get("imgsz"), Source.DATA), (checkpoint, Source.CHECKPOINT))
    return next((Resolved(size, source) for size, source in known if size), Resolved(640, Source.DEFAULT))


def resolve_recipe(
    recipe: Mapping[str, ParamValue],
    data_defaults: Mapping[str, ParamValue],
    train_args: Mapping[str, Any],
    imgsz: Resolved,
) -> dict[str, Resolved]:
    """Settle every field of a recipe, and say where each value comes from.

    The study's own value comes first, then the data set's (the digits' scenes must not be mirrored), then the
    checkpoint's training arguments, then the default. Of a checkpoint only the augmentation is taken: it tells
    what suits its images, whereas its epochs or learning rate belong to another training.

    Args:
        recipe: The study's fixed values; None counts as left out.
        data_defaults: Of the data set; names that are no recipe field are ignored.
        train_args: Of the checkpoint, as Ultralytics stores them; values that no recipe may have are ignored.
        imgsz: The study's image size, from `image_size`.
    """
    defaults = Recipe().as_plain()
    resolved: dict[str, Resolved] = {}
    for name in FIELDS:
        if recipe.get(name) is not None:
            resolved[name] = Resolved(_checked(name, recipe[name]), Source.STUDY)
        elif name == "imgsz":
            resolved[name] = imgsz
        elif data_defaults.get(name) is not None:
            resolved[name] = Resolved(_checked(name, data_defaults[name]), Source.DATA)
        elif name in AUGMENTATION and _acceptable(name, train_args.get(name)):
            resolved[name] = Resolved(_checked(name, train_args[name]), Source.CHECKPOINT)
        else:
            resolved[name] = Resolved(defaults[name], Source.DEFAULT)
    return resolved


def _acceptable(name: str, value: Any) -> bool:
    """Return whether a foreign value may be taken; Ultralytics allows some that we do not (a pair for `scale`)."""
    try:
        return value is not None and _checked(name, value) is not None
    except FieldFault:
        return False


def _checked(name: str, value: Any) -> ParamValue:
    try:
        recipe = Recipe.from_plain({name: value})
    except RecipeError as error:
        raise FieldFault(name, str(error).removeprefix("recipe: ").removeprefix(f"'{name}' ")) from None
    checked: ParamValue = getattr(recipe, name)
    return checked


def _read_range(name: str, raw: Mapping[str, Any]) -> Parameter:
    known = ("low", "high", "step", "log", "choices")
    for key in raw:
        if key not in known:
            raise FieldFault(f"{name}.{key}", unknown_key(str(key), known))
    if "choices" in raw:
        return _read_choices(name, raw)
    kind = type(FIELDS[name].default)
    if kind not in (int, float):
        raise FieldFault(name, "is not a number and has no range; write {choices: [...]}")
    for end in ("low", "high"):
        if raw.get(end) is None:
            raise FieldFault(f"{name}.{end}", "is missing; a range is {low: ..., high: ...} or {choices: [...]}")
    low, high = _checked(name, raw["low"]), _checked(name, raw["high"])
    if not low < high:  # type: ignore[operator]  # both are numbers: `kind` is
        raise FieldFault(f"{name}.low", f"is {low}; it must be below high, {high}")
    if kind is int:
        return _integer(name, int(low), int(high), raw)
    return _real(name, float(low), float(high), raw)


def _read_choices(name: str, raw: Mapping[str, Any]) -> Categorical:
    choices = raw["choices"]
    if len(raw) > 1:
        raise FieldFault(name, "has choices and a range; keep one of them")
    if not isinstance(choices, list | tuple) or len(choices) < 2:
        raise FieldFault(f"{name}.choices", f"is {choices!r}; it must list at least two values")
    options = tuple(_checked(name, choice) for choice in choices)
    if len(set(options)) < len(options):
        raise FieldFault(f"{name}.choices", f"is {choices!r}; each value may stand only once")
    return Categorical(options)


def _integer(name: str, low: int, high: int, raw: Mapping[str, Any]) -> Integer:
    grid = GRID.get(name, 1)
    step = grid if raw.get("step") is None else raw["step"]
    if raw.get("log"):
        raise FieldFault(f"{name}.log", "is true; a whole number has no logarithmic range, leave it out")
    if isinstance(step, bool) or not isinstance(step, int) or step < 1:
        raise FieldFault(f"{name}.step", f"is {step!r}; it must be a whole number of at least {grid}")
    if step % grid:
        raise FieldFault(f"{name}.step", f"is {step}; it must be a multiple of {grid}, as {name} itself")
    _divides(name, low, high, step)
    return Integer(low, high, step)


def _real(name: str, low: float, high: float, raw: Mapping[str, Any]) -> Float:
    step, log = raw.get("step"), raw.get("log")
    if log is not None and not isinstance(log, bool):
        raise FieldFault(f"{name}.log", f"is {log!r}; it must be true or false")
    if step is not None and (isinstance(step, bool) or not isinstance(step, int | float) or not 0 < step < math.inf):
        raise FieldFault(f"{name}.step", f"is {step!r}; it must be a number above 0")
    if log and step is not None:
        raise FieldFault(f"{name}.step", "and log exclude each other; keep one of them")
    if log and low <= 0:
        raise FieldFault(f"{name}.low", f"is {low}; it must be above 0 on a logarithmic range")
    if step is not None:
        _divides(name, low, high, step)
    return Float(low, high, None if step is None else float(step), bool(log))


def _divides(name: str, low: float, high: float, step: float) -> None:
    """Refuse a step that does not divide the range: Optuna would lower `high` with only a warning."""
    steps = (high - low) / step
    if steps < 1 or abs(steps - round(steps)) > 1e-6:
        raise FieldFault(f"{name}.step", f"is {step}; it must divide the range from {low} to {high}")


def _greatest(parameter: Parameter) -> ParamValue:
    return max(parameter.options, key=float) if isinstance(parameter, Categorical) else parameter.high


def _plain_range(parameter: Parameter) -> dict[str, Any]:
    if isinstance(parameter, Categorical):
        return {"choices": list(parameter.options)}
    plain: dict[str, Any] = {"low": parameter.low, "high": parameter.high}
    if parameter.step not in (None, 1) or (isinstance(parameter, Float) and parameter.step == 1):
        plain["step"] = parameter.step
    if isinstance(parameter, Float) and parameter.log:
        plain["log"] = True
    return plain
