"""Parents and donors, targets and latencies. Every function runs inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert, select

from objectives.base import Measurement
from search.store.base import TargetEntry, TrainedEntry
from search.store.models import LatencyRow, RecordRow, TargetRow, TrainedRow
from search.store.reading import read_records
from search.store.records import write_record
from search.store.statements import insert_if_new, insert_numbered_if_new


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


def add_target(connection: Connection, key: str, description: Mapping[str, Any], reference_ms: float) -> TargetEntry:
    """See `Store.add_target`."""
    row = {"key": key, "description": dict(description), "reference_ms": reference_ms}
    insert_if_new(connection, TargetRow, row)
    stored = target(connection, key)
    assert stored is not None
    return stored


def target(connection: Connection, key: str) -> TargetEntry | None:
    """See `Store.target`."""
    row = connection.execute(select(TargetRow.__table__).where(TargetRow.key == key)).one_or_none()
    return None if row is None else TargetEntry(row.key, row.description, row.reference_ms)


def add_latency(
    connection: Connection, shape_key: str, target_key: str, measurement: Measurement, samples_ms: Sequence[float]
) -> None:
    """See `Store.add_latency`."""
    row = {
        "shape_key": shape_key,
        "target_key": target_key,
        "samples_ms": [float(sample) for sample in samples_ms],
        **vars(measurement),
    }
    connection.execute(insert(LatencyRow).values(**row))


def latency(connection: Connection, shape_key: str, target_key: str) -> Measurement | None:
    """See `Store.latency`."""
    names = [name for name in Measurement.__dataclass_fields__]
    columns = [LatencyRow.__table__.c[name] for name in names]
    of_pair = select(*columns).where(LatencyRow.shape_key == shape_key, LatencyRow.target_key == target_key)
    row = connection.execute(of_pair.order_by(LatencyRow.id.desc()).limit(1)).mappings().one_or_none()
    return None if row is None else Measurement(**row)
