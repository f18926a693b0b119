"""Confirmations of a study's finalists. Every function runs inside the caller's transaction."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, insert, select

from search.record.confirmation import Confirmation, Finalist
from search.store.base import StoreError, StudyEntry
from search.store.latency_models import ConfirmationMemberRow, ConfirmationRow
from search.store.models import RecordRow
from search.store.statements import lock_study

_FIGURES = ("value", "low", "high", "ratio", "runs")


def add(connection: Connection, study: StudyEntry, confirmation: Confirmation) -> Confirmation:
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
