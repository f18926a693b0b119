"""Pareto fronts, stored at each change, and their confirmations. All inside the caller's transaction."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, func, insert, select

from search.record.confirmation import Confirmation, Finalist
from search.record.front import Front
from search.record.trial import Outcome, TrialRecord
from search.store.attempts import counted
from search.store.base import StoreError, StudyEntry
from search.store.entries import FrontEntry
from search.store.latency_models import ConfirmationMemberRow, ConfirmationRow
from search.store.models import FrontMemberRow, FrontRow, FrozenRow, RecordRow
from search.store.statements import lock_study

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
    """Return the record's objective values if it may be on the front: complete, feasible, every objective measured.

    A repeated training is never on it: the better of two equal trainings would be there by luck.
    """
    if record.outcome is not Outcome.COMPLETE or not record.feasible or record.is_repeated:
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
    """Return the newest front, and the row numbers of its members' records."""
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


_FIGURES = ("value", "low", "high", "ratio", "runs")


def add_confirmation(connection: Connection, study: StudyEntry, confirmation: Confirmation) -> Confirmation:
    """See `Store.add_confirmation`."""
    lock_study(connection, study.id)  # two at once must not take one number
    ids = _record_ids(connection, study, [member.name for member in confirmation.members])
    last = select(func.max(ConfirmationRow.sequence)).where(ConfirmationRow.study_id == study.id)
    row = {
        "study_id": study.id,
        "sequence": (connection.execute(last).scalar_one_or_none() or 0) + 1,
        "target_key": confirmation.target_key,
        "clock": confirmation.clock,
        "circumstances": None if confirmation.circumstances is None else dict(confirmation.circumstances),
    }
    (added,) = connection.execute(insert(ConfirmationRow).values(**row)).inserted_primary_key or (0,)
    members = [
        {
            "confirmation_id": added,
            "position": position,
            "record_id": ids[member.name],
            **{name: getattr(member, name) for name in _FIGURES},
            "ties": list(member.ties),
            "samples": list(member.samples),
        }
        for position, member in enumerate(confirmation.members)
    ]
    if members:
        connection.execute(insert(ConfirmationMemberRow), members)
    return confirmations(connection, ConfirmationRow.id == added)[0]


def confirmations(connection: Connection, *conditions: Any) -> tuple[Confirmation, ...]:
    """Stored confirmations that meet the conditions, oldest first."""
    found = select(ConfirmationRow.__table__).where(*conditions).order_by(ConfirmationRow.sequence)
    return tuple(
        Confirmation(
            target_key=row.target_key,
            clock=row.clock,
            members=_members(connection, row.id),
            circumstances=row.circumstances,
            sequence=row.sequence,
            at=row.at,
        )
        for row in connection.execute(found).all()
    )


def _members(connection: Connection, confirmation_id: int) -> tuple[Finalist, ...]:
    of_one = (
        select(ConfirmationMemberRow.__table__, RecordRow.name)
        .join(RecordRow, RecordRow.id == ConfirmationMemberRow.record_id)
        .where(ConfirmationMemberRow.confirmation_id == confirmation_id)
        .order_by(ConfirmationMemberRow.position)
    )
    return tuple(
        Finalist(
            row.name,
            **{name: getattr(row, name) for name in _FIGURES},
            ties=tuple(row.ties),
            samples=tuple(row.samples),
        )
        for row in connection.execute(of_one).all()
    )


def _record_ids(connection: Connection, study: StudyEntry, names: list[str]) -> dict[str, int]:
    statement = select(RecordRow.name, RecordRow.id).where(RecordRow.study_id == study.id, RecordRow.name.in_(names))
    ids = {row.name: row.id for row in connection.execute(statement)}
    if missing := [name for name in names if name not in ids]:
        raise StoreError(f"study '{study.sampler_name}' has no record named {', '.join(missing)} to confirm")
    return ids
