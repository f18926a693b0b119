"""`scale: 0.01` in a study's YAML: shortens trainings that are written with hundreds of epochs to a budget."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from objectives.recipe import Recipe
from search.study.faults import DefinitionError
from search.study.file_objectives import with_task
from search.study.options import applied, for_task
from search.study.reading import parse_yaml
from spaces.task_names import DETECTING

SCALE = "scale"
SHRUNK = ("epochs", "warmup_epochs", "close_mosaic")
"""Fields that count epochs."""
ROWS = ("donors", "controls")


def in_budget(plain: Mapping[str, Any], overrides: Sequence[str] = ()) -> tuple[dict[str, Any], list[str]]:
    """A definition's plain values with the epochs that its parent, donors and controls set themselves at its scale.

    Trials, and rows that set no epochs of their own, are trained as `recipe` says. What the command line sets is put
    over the scaled values, and stays as it is.

    Args:
        overrides: `-o key=value`; one of `scale` stands instead of the study's own.

    Returns:
        The values, without `scale`, and the overrides that are left.

    Raises:
        DefinitionError: If the scale is not above 0 and at most 1.
    """
    scale = plain.get(SCALE, 1)
    for override in overrides:
        if _key(override) == SCALE:
            scale = parse_yaml(override.partition("=")[2], "-o scale:")
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 < scale <= 1:
        raise DefinitionError(f"scale is {scale!r}; it must be above 0 and at most 1: the share of epochs to train")
    rest = [override for override in overrides if _key(override) != SCALE]
    changed = {name: value for name, value in plain.items() if name != SCALE}
    if scale != 1:
        changed |= {name: _rows(value, changed, scale) for name, value in changed.items() if name in ROWS}
        if isinstance(changed.get("parent"), Mapping):
            changed["parent"] = _section(changed["parent"], "recipe", {}, scale)
    return changed, rest


def with_command_line(
    read: Mapping[str, Any], options: Mapping[str, Any], overrides: Sequence[str]
) -> tuple[dict[str, Any], list[str]]:
    """Return a definition's plain values: of a study's YAML, over them what it sets for the parent's task, and options.

    Args:
        read: Written out in full (`search.study.options.in_full`).
        options: The command line's own options by the fields that they set.
        overrides: `-o key=value`, in their order.

    Returns:
        The values, and the overrides without one of `scale`.

    Raises:
        DefinitionError: If the scale, a key of an override or the section `tasks` is wrong.
    """
    plain, rest = in_budget(for_task(read, DETECTING), overrides)
    task = with_task(applied(plain, options, rest)).get("task")
    if isinstance(task, str) and task != DETECTING:
        plain, rest = in_budget(for_task(read, task), overrides)
    return applied(plain, options, rest), rest


def scaled(recipe: Mapping[str, Any], scale: float) -> dict[str, Any]:
    """Return a recipe for a share of its epochs.

    Warm-up and the epochs without mosaic shrink alike. The strength of sparsity grows, so that learning rate x strength
    x steps, which is how far a scale is shrunk in all, is that of the whole recipe.
    """
    if scale == 1:
        return dict(recipe)
    defaults = Recipe().as_plain()
    whole = {name: recipe.get(name, defaults[name]) for name in (*SHRUNK, "sparsity")}
    epochs = max(1, round(scale * float(whole["epochs"])))
    share = epochs / float(whole["epochs"])
    return {
        **recipe,
        "epochs": epochs,
        "warmup_epochs": share * float(whole["warmup_epochs"]),
        "close_mosaic": round(share * float(whole["close_mosaic"])),
        "sparsity": float(whole["sparsity"]) / share,
    }


def _rows(rows: Any, plain: Mapping[str, Any], scale: float) -> Any:
    """Return donors or controls; what is none is left to be refused with the whole definition."""
    if not isinstance(rows, list):
        return rows
    parent = plain.get("parent")
    parents = parent.get("recipe") if isinstance(parent, Mapping) else None
    found = []
    for row in rows:
        if isinstance(row, Mapping):
            base = parents if row.get("model") is not None else plain.get("recipe")
            row = _section(_section(row, "recipe", base, scale), "sparse", base, scale)
        found.append(row)
    return found


def _section(holder: Mapping[str, Any], name: str, base: Any, scale: float) -> dict[str, Any]:
    """Return the section with one of its recipes scaled, if that sets its own epochs."""
    recipe = holder.get(name)
    if not isinstance(recipe, Mapping) or not _number(recipe.get("epochs")) or recipe["epochs"] < 1:
        return dict(holder)
    whole = {**(base if isinstance(base, Mapping) else {}), **recipe}
    told = {field: value for field, value in whole.items() if _number(value)}
    short = scaled(told, scale)
    fields = (*SHRUNK, "sparsity") if told.get("sparsity") else SHRUNK
    wanted = {field: short[field] for field in fields if field not in whole or field in told}
    return {**holder, name: {**recipe, **wanted}}


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _key(override: str) -> str:
    return override.partition("=")[0].strip()
