"""Roles of a front's members: the most accurate, the fastest and the knee, among the networks that are of use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from objectives.base import Direction
from objectives.quantities import USUAL_OBJECTIVES
from search.record.front import knee
from search.record.latency_text import LATENCY, is_told_apart
from search.record.trial import TrialRecord
from search.study.limits import resolved

SHARE_OF_PARENT = 0.5
"""Share of the parent's accuracy that a member needs for a role, if the study asks for no accuracy itself."""

_Objectives = Sequence[tuple[str, Direction]]


def least_for_roles(
    parent: TrialRecord | None, objectives: _Objectives, at_least: Mapping[str, float] | None = None
) -> float | None:
    """Return the value of the first objective that a member needs for a role; None if any will do.

    Args:
        parent: The parent's row.
        at_least: Accuracies that the study asks for, by name; by default half of the parent's.
    """
    name, direction = objectives[0]
    reached = None if parent is None else parent.value(name)
    if direction is not Direction.MAXIMIZE:
        return None
    if at_least and name in at_least:
        return resolved(at_least[name], reached)
    return None if reached is None else SHARE_OF_PARENT * reached


def front_roles(
    members: Sequence[TrialRecord], objectives: _Objectives = USUAL_OBJECTIVES, least: float | None = None
) -> dict[str, tuple[str, ...]]:
    """Return the roles of a front's members: `best` in the first objective, `fastest`, `best size_mib`, and `knee`.

    The knee has a role only if it has no other. Of members that cannot be told from the fastest, the most accurate is
    the fastest.

    Args:
        least: Value of the first objective below which a member has no role; the best one has it in any case.
    """
    points = {member.name: point for member in members if (point := _point(member, objectives)) is not None}
    if not points:
        return {}
    directions = [direction for _, direction in objectives]
    roles: dict[str, list[str]] = {name: [] for name in points}
    roles[_extreme(points, 0, directions[0])].append("best")
    useful = {name: point for name, point in points.items() if least is None or point[0] >= least}
    if useful:
        for axis, (name, direction) in list(enumerate(objectives))[1:]:
            found = _extreme(useful, axis, direction)
            if name == LATENCY:
                by_name = {member.name: member for member in members}
                tied = [each for each in useful if not is_told_apart(by_name[each], by_name[found])]
                found = _extreme({each: useful[each] for each in (found, *tied)}, 0, directions[0])
            roles[found].append("fastest" if name == LATENCY else f"best {name}")
        middle = list(useful)[knee(list(useful.values()), directions)]
        if not roles[middle]:
            roles[middle].append("knee")
    return {name: tuple(found) for name, found in roles.items()}


def _point(record: TrialRecord, objectives: _Objectives) -> tuple[float, ...] | None:
    found = [value for name, _ in objectives if (value := record.value(name)) is not None]
    return tuple(found) if len(found) == len(objectives) else None


def _extreme(values: Mapping[str, tuple[float, ...]], axis: int, direction: Direction) -> str:
    choose = max if direction is Direction.MAXIMIZE else min
    return choose(values, key=lambda name: values[name][axis])
