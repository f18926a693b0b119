"""`-o key=value`: changes single fields of a definition by their dotted name, before it is checked."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from search.command import DefinitionError
from search.study_yaml import parse_yaml


def apply_overrides(plain: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """A copy of a definition's plain values with the overrides applied in their order.

    Each override is `key=value`: the key is dotted (`recipe.epochs`, `donors.0.ratio`, `donors.one-shot.ratio`),
    the value is YAML (`5`, `1e-4`, `null`, `{low: 1e-4, high: 1e-2, log: true}`). Whether a field exists is
    checked later, with the whole definition.

    Raises:
        DefinitionError: If an override is not `key=value`, or its key leads to nothing.
    """
    changed = copy.deepcopy(dict(plain))
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key.strip():
            raise DefinitionError(f"-o {override!r} is not key=value; write it like -o recipe.epochs=5")
        _assign(changed, key.strip(), parse_yaml(text, f"-o {key.strip()}:"))
    return changed


def _assign(changed: dict[str, Any], key: str, value: Any) -> None:
    """Set one field, making sections that are not there yet."""
    if not all(key.split(".")):
        raise DefinitionError(f"-o {key}: the key has an empty part; write it like recipe.epochs")
    holder: Any = changed
    path = _steps(changed, key)
    for depth, step in enumerate(path[:-1]):
        inner = holder[step] if isinstance(holder, list) else holder.get(step)
        if inner is None:
            inner = holder[step] = {}
        if not isinstance(inner, dict | list):
            reached = ".".join(str(part) for part in path[: depth + 1])
            raise DefinitionError(f"-o {key}: {reached} is {inner!r}, which has no parts; set -o {reached}=... whole")
        holder = inner
    holder[path[-1]] = value


def _steps(root: Any, key: str) -> list[str | int]:
    """A dotted key as steps from the root; entries of a list are found by position or by their `name`."""
    parts, steps, here = key.split("."), [], root
    while parts:
        if isinstance(here, list):
            step, used = _entry(here, parts, key)
        else:
            step, used = parts[0], 1
        steps.append(step)
        parts = parts[used:]
        if isinstance(here, list) and isinstance(step, int):
            here = here[step]
        else:
            here = here.get(step) if isinstance(here, dict) else None
    return steps


def _entry(entries: list[Any], parts: list[str], key: str) -> tuple[int, int]:
    """Position of the list entry that the next parts name, and how many parts its name takes (`uniform-0.5`: 2)."""
    names = [entry.get("name") if isinstance(entry, dict) else None for entry in entries]
    for used in range(len(parts), 0, -1):
        if ".".join(parts[:used]) in names:
            return names.index(".".join(parts[:used])), used
    if parts[0].isdigit() and int(parts[0]) < len(entries):
        return int(parts[0]), 1
    known = ", ".join(f"{position} ({name})" for position, name in enumerate(names)) or "none"
    raise DefinitionError(f"-o {key}: there is no entry '{parts[0]}'; entries are {known}")
