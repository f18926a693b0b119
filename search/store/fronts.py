"""The Pareto front, stored each time it changes. Every function runs inside the caller's transaction."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, insert, select

from search.record.front import Front
from search.record.trial import Outcome, TrialRecord
from search.store.attempts import counted
from search.store.base import FrontEntry, StoreError, StudyEntry
from search.store.models import FrontMemberRow, FrontRow, FrozenRow, RecordRow

REFERENCE_POINT = "reference_point"


def move(connection: Connection, study: StudyEntry, record: TrialRecord, record_id: int) -> FrontEntry | None:
    """Store the front that a new record makes; None if it is dominated, equal to a member, or does not qualify.

    Only the last front and the new record are compared: what was dominated once stays dominated.

    Raises:
        StoreError: If the record qualifies and no reference point is frozen.
    """
    values = values_on_front(study, record)
    if values is None:
        return None
    reference_point = _reference_point(connection, study)
    last, ids = _last(connection, study)
    moved = last.with_point(record.name, values)
    if moved is last:
        return None
    ids[record.name] = record_id
    sequence = connection.execute(
        select(FrontRow.sequence).where(FrontRow.study_id == study.id).order_by(FrontRow.sequence.desc()).limit(1)
    ).scalar_one_or_none()
    row = {
        "study_id": study.id,
        "sequence": (sequence or 0) + 1,
        "after": counted(connection, study.id),
        "hypervolume": moved.hypervolume(reference_point),
        "reference_point": reference_point,
    }
    (front_id,) = connection.execute(insert(FrontRow).values(**row)).inserted_primary_key or (0,)
    members = [
        {"front_id": front_id, "position": position, "record_id": ids[name], "objective_values": values}
        for position, (name, values) in enumerate(zip(moved.names, moved.values, strict=True))
    ]
    connection.execute(insert(FrontMemberRow), members)
    return entries(connection, FrontRow.id == front_id)[0]


def values_on_front(study: StudyEntry, record: TrialRecord) -> tuple[float, ...] | None:
    """The record's objective values if it may be on the front: complete, feasible, every objective measured."""
    if record.outcome is not Outcome.COMPLETE or not record.feasible:
        return None
    values = [record.value(name) for name, _ in study.objectives]
    if any(value is None or not math.isfinite(value) for value in values):
        return None
    return tuple(float(value) for value in values if value is not None)


def entries(connection: Connection, *conditions: Any) -> tuple[FrontEntry, ...]:
    """Stored fronts that meet the conditions, oldest first."""
    rows = connection.execute(select(FrontRow.__table__).where(*conditions).order_by(FrontRow.sequence)).all()
    members: defaultdict[int, list[str]] = defaultdict(list)
    named = (
        select(FrontMemberRow.front_id, RecordRow.name)
        .join(RecordRow, RecordRow.id == FrontMemberRow.record_id)
        .join(FrontRow, FrontRow.id == FrontMemberRow.front_id)
        .where(*conditions)
        .order_by(FrontMemberRow.front_id, FrontMemberRow.position)
    )
    for member in connection.execute(named):
        members[member.front_id].append(member.name)
    return tuple(
        FrontEntry(
            sequence=row.sequence,
            after=row.after,
            members=tuple(members[row.id]),
            hypervolume=row.hypervolume,
            reference_point=tuple(row.reference_point),
            at=row.at,
        )
        for row in rows
    )


def front_after(connection: Connection, study: StudyEntry, trials: int) -> FrontEntry | None:
    """See `Store.front_after`."""
    reached = select(FrontRow.id).where(FrontRow.study_id == study.id, FrontRow.after <= trials)
    newest = reached.order_by(FrontRow.sequence.desc()).limit(1).scalar_subquery()
    found = entries(connection, FrontRow.id == newest)
    return found[0] if found else None


def _reference_point(connection: Connection, study: StudyEntry) -> list[float]:
    statement = select(FrozenRow.content).where(FrozenRow.study_id == study.id, FrozenRow.fact == REFERENCE_POINT)
    found = connection.execute(statement).scalar_one_or_none()
    if not isinstance(found, list) or len(found) != len(study.objectives):
        names = ", ".join(name for name, _ in study.objectives)
        raise StoreError(
            f"study '{study.sampler_name}' has {REFERENCE_POINT} {found}; freeze one figure for each of {names} "
            "before complete records are added"
        )
    return found


def _last(connection: Connection, study: StudyEntry) -> tuple[Front, dict[str, int]]:
    """The newest front, and the row numbers of its members' records."""
    newest = select(FrontRow.id).where(FrontRow.study_id == study.id).order_by(FrontRow.sequence.desc()).limit(1)
    statement = (
        select(RecordRow.name, RecordRow.id, FrontMemberRow.objective_values)
        .join(RecordRow, RecordRow.id == FrontMemberRow.record_id)
        .where(FrontMemberRow.front_id == newest.scalar_subquery())
        .order_by(FrontMemberRow.record_id)  # in the order added, so that an equal later one stays off
    )
    rows = connection.execute(statement).all()
    directions = tuple(direction for _, direction in study.objectives)
    front = Front(directions, tuple(row.name for row in rows), tuple(tuple(row.objective_values) for row in rows))
    return front, {row.name: row.id for row in rows}
