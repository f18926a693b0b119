"""Targets, latencies and trained networks, which outlive a study. All inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, Select, func, insert, select

from objectives.base import Measurement
from search.store.entries import LatencyEntry, TargetEntry, TrainedEntry
from search.store.latency_models import LatencyRow, TargetRow
from search.store.models import RecordRow, TrainedRow
from search.store.packing import pack_plain, unpack_plain
from search.store.records import read_records, write_record
from search.store.statements import insert_if_new, insert_numbered_if_new
from spaces.structure.shape import Shape

_MEASURED = tuple(each.name for each in fields(Measurement))
_SHAPE = tuple(each.name for each in fields(Shape))
_AS_IT_IS = (
    "shape_key", "target_key", "p50_ms", "p90_ms", "p99_ms", "spread", "reference_ms", "other_ratio", "circumstances",
)  # fmt: skip


def add_target(connection: Connection, entry: TargetEntry) -> TargetEntry:
    """See `Store.add_target`."""
    insert_if_new(connection, TargetRow, vars(entry))
    return TargetEntry(**connection.execute(_select_target(entry.key)).mappings().one())


def target(connection: Connection, key: str) -> TargetEntry | None:
    """See `Store.target`."""
    row = connection.execute(_select_target(key)).mappings().one_or_none()
    return None if row is None else TargetEntry(**row)


def _select_target(key: str) -> Select[Any]:
    columns = [TargetRow.__table__.c[each.name] for each in fields(TargetEntry)]
    return select(*columns).where(TargetRow.key == key)


def targets(connection: Connection) -> tuple[TargetEntry, ...]:
    """See `Store.targets`."""
    columns = [TargetRow.__table__.c[each.name] for each in fields(TargetEntry)]
    rows = connection.execute(select(*columns).order_by(TargetRow.created, TargetRow.key)).mappings()
    return tuple(TargetEntry(**row) for row in rows)


def add_latency(connection: Connection, entry: LatencyEntry) -> None:
    """See `Store.add_latency`."""
    shape = {} if entry.shape is None else {name: getattr(entry.shape, name) for name in _SHAPE}
    row = {
        **{name: getattr(entry, name) for name in _AS_IT_IS},
        **vars(entry.measurement),
        **shape,
        "samples_ms": [float(sample) for sample in entry.samples_ms],
        "blocks": None if entry.blocks is None else pack_plain(entry.blocks),
    }
    connection.execute(insert(LatencyRow).values(**row))


def latency(connection: Connection, shape_key: str, target_key: str) -> LatencyEntry | None:
    """See `Store.latency`."""
    of_pair = _select(blocks=False).where(
        LatencyRow.shape_key == shape_key, LatencyRow.target_key == target_key, LatencyRow.predicted.is_(False)
    )
    loaded_last = of_pair.order_by(LatencyRow.contended.is_(True), LatencyRow.id.desc())
    row = connection.execute(loaded_last.limit(1)).mappings().one_or_none()
    return None if row is None else _entry(dict(row))


def latencies(connection: Connection, target_key: str, *, blocks: bool) -> tuple[LatencyEntry, ...]:
    """See `Store.latencies`."""
    of_target = _select(blocks=blocks).where(LatencyRow.target_key == target_key).order_by(LatencyRow.id)
    return tuple(_entry(dict(row)) for row in connection.execute(of_target).mappings())


def latency_count(connection: Connection, target_key: str) -> int:
    """See `Store.latency_count`."""
    of_target = select(func.count()).select_from(LatencyRow).where(LatencyRow.target_key == target_key)
    return int(connection.execute(of_target).scalar_one())


def _select(*, blocks: bool) -> Any:
    """Return all columns; the raw times, which are most of a row, only where they are wanted."""
    return select(*(column for column in LatencyRow.__table__.c if blocks or column.name != "blocks"))


def _entry(row: Mapping[str, Any]) -> LatencyEntry:
    shape = None
    if row["parent"] is not None:
        shape = Shape(row["parent"], tuple(row["widths"]), tuple(row["dropped"]), row["imgsz"])
    packed = row.get("blocks")
    return LatencyEntry(
        measurement=Measurement(**{name: row[name] for name in _MEASURED}),
        samples_ms=tuple(row["samples_ms"]),
        shape=shape,
        blocks=None if packed is None else unpack_plain(packed),
        at=row["at"],
        **{name: row[name] for name in _AS_IT_IS},
    )


def add_trained(connection: Connection, entry: TrainedEntry) -> TrainedEntry:
    """See `Store.add_trained`."""
    row = {"key": entry.key, "name": entry.name, "parent": entry.parent, "lineage": entry.lineage}
    trained_id = insert_numbered_if_new(connection, TrainedRow, row)
    if trained_id is not None:
        write_record(connection, entry.record, trained_id=trained_id)
    (stored,) = trained(connection, TrainedRow.key == entry.key)
    return stored


def trained(connection: Connection, *conditions: Any) -> tuple[TrainedEntry, ...]:
    """Return trained networks that meet the conditions, oldest first."""
    rows = connection.execute(select(TrainedRow.__table__).where(*conditions).order_by(TrainedRow.id)).all()
    ids = {row.id: row for row in rows}
    owners = select(RecordRow.id, RecordRow.trained_id).where(RecordRow.trained_id.in_(ids))
    record_ids = {owner.trained_id: owner.id for owner in connection.execute(owners)}
    records = read_records(connection, RecordRow.trained_id.in_(ids), curves=True)
    return tuple(
        TrainedEntry(
            key=row.key,
            name=row.name,
            parent=row.parent,
            lineage=row.lineage,
            record=records[record_ids[row.id]],
        )
        for row in rows
    )
