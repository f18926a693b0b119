"""Limits of a study: upper bounds on what a network may cost, and lower bounds on what it should reach."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from objectives.quantities import QUANTITIES
from search.study.faults import FieldFault, unknown_key

LIMITABLE = tuple(name for name, each in QUANTITIES.items() if each.limitable)
"""Quantities that a study can limit."""
_WITH_UNIT = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([A-Za-z]*)")


def check_limits(limits: Mapping[str, float | None]) -> None:
    """Check upper limits by name of a quantity.

    Raises:
        FieldFault: If a quantity cannot be limited, or a limit is not above 0.
    """
    for name, limit in limits.items():
        if name not in LIMITABLE:
            raise FieldFault(name, unknown_key(name, LIMITABLE))
        if limit is not None and limit <= 0:
            raise FieldFault(name, f"is {limit}; it must be above 0, or null for none")


def check_least(least: Mapping[str, float], objectives: Mapping[str, str]) -> None:
    """Check lower bounds on accuracies.

    Raises:
        FieldFault: If one is not of a maximized objective of the study, or not within [-1, 1].
    """
    maximized = [name for name, direction in objectives.items() if direction == "maximize"]
    for name, bound in least.items():
        if name not in maximized:
            raise FieldFault(f"at_least.{name}", unknown_key(name, maximized))
        if not -1 <= bound <= 1:
            raise FieldFault(f"at_least.{name}", f"is {bound}; write 0.8, or -0.01 for that of the parent less 0.01")


def least_in_full(plain: Any) -> Any:
    """Write `limits: {map50_95: {at_least: 0.8}}` as `at_least: {map50_95: 0.8}`.

    Raises:
        FieldFault: If there is another key than `at_least`.
    """
    limits = plain.get("limits") if isinstance(plain, Mapping) else None
    if not isinstance(limits, Mapping):
        return plain
    bounds = {name: limit for name, limit in limits.items() if isinstance(limit, Mapping)}
    if not bounds:
        return plain
    for name, bound in bounds.items():
        for key in bound:
            if key != "at_least":
                raise FieldFault(f"limits.{name}.{key}", unknown_key(str(key), ["at_least"]))
    upper = {name: limit for name, limit in limits.items() if name not in bounds}
    least = {name: bound.get("at_least") for name, bound in bounds.items()}
    return {**plain, "limits": upper, "at_least": {**(plain.get("at_least") or {}), **least}}


def without_units(plain: Any) -> Any:
    """Read limits that are written with their unit: `limits: {latency_ms: 5ms}` is `limits: {latency_ms: 5}`.

    Text that is no number with the quantity's own unit is left as it is, to be refused.
    """
    limits = plain.get("limits") if isinstance(plain, Mapping) else None
    if not isinstance(limits, Mapping):
        return plain
    return {**plain, "limits": {name: _number(str(name), limit) for name, limit in limits.items()}}


def _number(name: str, limit: Any) -> Any:
    found = _WITH_UNIT.fullmatch(limit.strip()) if isinstance(limit, str) and name in QUANTITIES else None
    if found is None or found[2].lower() not in ("", QUANTITIES[name].unit.lower()):
        return limit
    return float(found[1])


def resolved(bound: float, parent: float | None) -> float | None:
    """Return a lower bound as an accuracy: one of at most 0 is a difference to the parent's.

    Args:
        parent: The parent's accuracy; None if it is not known.
    """
    if bound > 0:
        return bound
    return None if parent is None else parent + bound
