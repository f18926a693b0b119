"""Parents, donors and controls, trained once. Every function runs inside the caller's transaction."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from search.store.entries import TrainedEntry
from search.store.models import RecordRow, TrainedRow
from search.store.reading import read_records
from search.store.records import write_record
from search.store.statements import insert_numbered_if_new


def add_trained(connection: Connection, entry: TrainedEntry) -> TrainedEntry:
    """See `Store.add_trained`."""
    row = {"key": entry.key, "name": entry.name, "parent": entry.parent, "lineage": entry.lineage}
    trained_id = insert_numbered_if_new(connection, TrainedRow, row)
    if trained_id is not None:
        write_record(connection, entry.record, trained_id=trained_id)
    (stored,) = trained(connection, TrainedRow.key == entry.key)
    return stored


def trained(connection: Connection, *conditions: Any) -> tuple[TrainedEntry, ...]:
    """Trained networks that meet the conditions, oldest first."""
    rows = connection.execute(select(TrainedRow.__table__).where(*conditions).order_by(TrainedRow.id)).all()
    ids = {row.id: row for row in rows}
    owners = select(RecordRow.id, RecordRow.trained_id).where(RecordRow.trained_id.in_(ids))
    record_ids = {owner.trained_id: owner.id for owner in connection.execute(owners)}
    records = read_records(connection, RecordRow.trained_id.in_(ids), curves=True)
    return tuple(TrainedEntry(row.key, row.name, row.parent, row.lineage, records[record_ids[row.id]]) for row in rows)


def donors(connection: Connection, parent: str) -> tuple[TrainedEntry, ...]:
    """See `Store.donors`."""
    return trained(connection, TrainedRow.parent == parent, TrainedRow.lineage.is_not(None))
