"""The accuracy that a study aims at follows the precision of its target: that of the network, or of an int8 file."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from objectives.quantities import FILE_ACCURACIES, MAP50_95, USUAL_OBJECTIVES
from search.study.faults import FieldFault

SAME = frozenset({MAP50_95.name, *(each.name for each in FILE_ACCURACIES.values())})
"""Names of mAP50-95, of the network and of files."""


def accuracy_aimed_at(objectives: Iterable[str]) -> str:
    """Return the name of the mAP50-95 among a study's objectives: that of files, else that of the network."""
    return next((name for name in objectives if name in SAME), MAP50_95.name)


def file_accuracies(precisions: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the accuracies of files that are made for targets of these precisions."""
    return tuple(FILE_ACCURACIES[each].name for each in precisions if each in FILE_ACCURACIES)


def check_file_objectives(objectives: Collection[str], precisions: Collection[str]) -> None:
    """Check that a study makes the files whose accuracy it aims at.

    Raises:
        FieldFault: If no target has their precision.
    """
    for precision, quantity in FILE_ACCURACIES.items():
        if quantity.name in objectives and precision not in precisions:
            raise FieldFault(f"objectives.{quantity.name}", f"is of {precision} files, but no target is {precision}")


def objectives_in_full(plain: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return a definition's plain values with mAP50-95 of the files for its target in place of the network's.

    A target of reduced precision runs another network than the one that was trained. For other targets it is mAP50-95
    of the network, in place of that of files. A study that names several of them keeps its objectives, and so does one
    whose objectives are chosen on the command line.

    Args:
        plain: Written out in full (`search.study.options.in_full`). Values of wrong types are left for the check.
        overrides: Options of the command line, `-o key=value`.
    """
    if any(_is_of_objectives(each.partition("=")[0].strip()) for each in overrides):
        return dict(plain)
    target = plain.get("target")
    precision = target.get("precision") if isinstance(target, Mapping) else None
    name = FILE_ACCURACIES.get(str(precision), MAP50_95).name
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
