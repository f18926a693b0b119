"""The accuracy that a study aims at follows its task and the precision of its target: of masks, of an int8 file."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from objectives.quantities import FILE_ACCURACIES, MAP50_95, OWN_ACCURACIES, QUANTITIES, USUAL_OBJECTIVES
from search.study.faults import FieldFault
from spaces.task_names import DETECTING, told_task

if TYPE_CHECKING:
    from search.study.recipe import RecipeDefinition

TaskName = Literal["detect", "segment", "pose", "obb", "classify"]
AIMS = {task: own[0].name for task, own in OWN_ACCURACIES.items()}
"""Accuracy that a study of a task aims at, where it is not mAP50-95 of boxes."""
SAME = frozenset({MAP50_95.name, *AIMS.values(), *(each.name for each in FILE_ACCURACIES.values())})
"""Names of accuracies that studies aim at: mAP50-95 of the network and of files, and those of other tasks."""


class AskedTarget(Protocol):
    """A target as a study asks for it."""

    @property
    def precision(self) -> str:
        """Precision of the files for it."""

    @property
    def nms(self) -> bool:
        """True if the files of this target end in non-maximum suppression."""


def with_task(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return a definition's plain values with the task that the parent's files tell, unless it is given."""
    parent = plain.get("parent")
    if "task" in plain or not isinstance(parent, Mapping):
        return dict(plain)
    model, weights = (each if isinstance(each, str) else None for each in (parent.get("model"), parent.get("weights")))
    task = told_task(model, weights)
    return dict(plain) if task == DETECTING else {**plain, "task": task}


def check_objectives(
    task: str, objectives: Collection[str], targets: Collection[AskedTarget], recipes: Collection[RecipeDefinition]
) -> None:
    """Check that what a study asks for is there for its task, and that it makes the files whose accuracy it aims at.

    Raises:
        FieldFault: If an objective is of another task or of files that are not made, or the task cannot do what a
            target or a recipe asks for.
    """
    for other, own in OWN_ACCURACIES.items():
        for quantity in own:
            if quantity.name in objectives and other != task:
                fault = f"is of the task '{other}', but the parent's is '{task}'"
                raise FieldFault(f"objectives.{quantity.name}", fault)
    _check_files(objectives, [target.precision for target in targets])
    if task == DETECTING:
        return
    for target in targets:
        if target.precision != "fp32":
            fault = f"is {target.precision}, whose files are scored for detectors alone; for the task '{task}' use fp32"
            raise FieldFault("target.precision", fault)
        if target.nms:
            raise FieldFault("target.nms", f"is true, which only files of detectors have; leave it out for '{task}'")
    if any(recipe.fixed.get("distill") or "recipe.distill" in recipe.searched for recipe in recipes):
        raise FieldFault(
            "recipe.distill", f"is above 0, which only detectors are trained with; set it to 0 for '{task}'"
        )


def accuracy_aimed_at(objectives: Iterable[str]) -> str:
    """Return the name of the accuracy among a study's objectives that it aims at; mAP50-95 where there is none."""
    return next((name for name in objectives if name in SAME), MAP50_95.name)


def accuracy_of_curves(task: str) -> str:
    """Return the name of the accuracy that learning curves show: the task's own."""
    return AIMS.get(task, MAP50_95.name)


def accuracies_on_request(task: str, targets: Iterable[AskedTarget]) -> tuple[str, ...]:
    """Return the names of the accuracies that are measured beside those of boxes: the task's own, and of files."""
    precisions = [target.precision for target in targets]
    own = [each.name for each in OWN_ACCURACIES.get(task, ())]
    return (*own, *(FILE_ACCURACIES[each].name for each in precisions if each in FILE_ACCURACIES))


def _check_files(objectives: Collection[str], precisions: Collection[str]) -> None:
    """Check that some target has the precision of the files whose accuracy is an objective."""
    for precision, quantity in FILE_ACCURACIES.items():
        if quantity.name in objectives and precision not in precisions:
            raise FieldFault(f"objectives.{quantity.name}", f"is of {precision} files, but no target is {precision}")


def _with_directions(plain: dict[str, Any]) -> dict[str, Any]:
    """Return values whose objectives are a mapping to the better direction, where only their names are given."""
    names = plain.get("objectives")
    if not isinstance(names, list | tuple):
        return plain
    known = {name: each.direction.value for name, each in QUANTITIES.items() if each.direction is not None}
    return {**plain, "objectives": {str(name): known.get(str(name), "maximize") for name in names}}


def objectives_in_full(plain: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return a definition's plain values with its task, and the accuracy that the task or the target's files are about.

    A network for masks aims at the mAP of masks in place of boxes'. A target of reduced precision runs another network
    than the one that was trained, and the study aims at the accuracy of its files. For other targets it is mAP50-95 of
    the network, in place of that of files. A study that names several of them keeps its objectives, and so does one
    whose objectives are chosen on the command line.

    Args:
        plain: Written out in full (`search.study.options.in_full`). Values of wrong types are left for the check.
        overrides: Options of the command line, `-o key=value`.
    """
    plain = _with_directions(with_task(plain))
    if any(_is_of_objectives(each.partition("=")[0].strip()) for each in overrides):
        return plain
    target = plain.get("target")
    precision = target.get("precision") if isinstance(target, Mapping) else None
    name = AIMS.get(str(plain.get("task")), FILE_ACCURACIES.get(str(precision), MAP50_95).name)
    changed = {"objectives": {key: direction.value for key, direction in USUAL_OBJECTIVES}, **plain}
    if isinstance(changed["objectives"], Mapping) and len(SAME & set(changed["objectives"])) > 1:
        return changed
    for section in ("objectives", "limits", "at_least"):
        entries = changed.get(section)
        if isinstance(entries, Mapping):
            changed[section] = {name if key in SAME else key: value for key, value in entries.items()}
    return changed


def _is_of_objectives(key: str) -> bool:
    return key == "objectives" or key.removeprefix("objectives.") in SAME
