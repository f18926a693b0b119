"""Differences between two definitions of a study, line by line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from objectives.tasks.digit_sets import BUILT_IN

NOT_IDENTITY = ("n_trials", "budget", "hung_after", "description")
"""Fields that may change while a study goes on."""
BY_CONTENT = ("data.source", "parent.weights")
"""Paths of files that count by their content, which is compared when they are read."""

_ABSENT = object()


def definition_differences(stored: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """Return readable lines such as `recipe.epochs: stored 3, asked 5`; empty if the definitions are the same.

    Args:
        stored: Plain values of the stored study.
        asked: Plain values of the one asked for.
    """
    left, right = _flat(stored, ""), _flat(asked, "")
    names = dict.fromkeys([*left, *right])
    return [
        f"{name}: stored {_shown(left.get(name, _ABSENT))}, asked {_shown(right.get(name, _ABSENT))}"
        for name in names
        if name.partition(".")[0] not in NOT_IDENTITY
        and left.get(name, _ABSENT) != right.get(name, _ABSENT)
        and not (name in BY_CONTENT and _is_path(left.get(name)) and _is_path(right.get(name)))
    ]


def values_at(plain: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return the leaves of a definition's plain values at these dotted names; None where there is none."""
    leaves = _flat(plain, "")
    return {name: leaves.get(name) for name in names}


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and value not in BUILT_IN


def _flat(value: Any, name: str) -> dict[str, Any]:
    """Leaves by dotted name; entries of a list go by their own `name` where they have one."""
    if isinstance(value, Mapping):
        parts = {str(key): part for key, part in value.items()}
    elif isinstance(value, list | tuple) and any(isinstance(part, Mapping) for part in value):
        parts = {str(part.get("name", position)): part for position, part in enumerate(value)}
    else:
        return {name: list(value) if isinstance(value, tuple) else value}
    leaves: dict[str, Any] = {}
    for key, part in parts.items():
        leaves.update(_flat(part, f"{name}.{key}" if name else key))
    return leaves


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "nothing"
    return value if isinstance(value, str) else json.dumps(value)
