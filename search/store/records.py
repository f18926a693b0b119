"""Writing records, and moving the front with them. Every function runs inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, insert, or_, select

from objectives.base import Evaluation
from search.record.trial import TrialRecord
from search.store import attempts, fronts
from search.store.base import AlreadyStored, Attempt, FrontEntry, StudyEntry
from search.store.models import (
    ArchitectureRow,
    CurvesRow,
    EvaluationRow,
    LayoutRow,
    MeasurementRow,
    OriginRow,
    RecordRow,
    RungRow,
)
from search.store.packing import layout_key, pack_curves, pack_masks
from search.store.statements import insert_if_new, lock_study
from search.store.table import Table
from spaces.base import ArchSpec, Origin


def add(connection: Connection, study: StudyEntry, record: TrialRecord, attempt: Attempt | None) -> FrontEntry | None:
    """See `Store.add`."""
    lock_study(connection, study.id)
    if attempt is not None:
        held = attempts.row_held(connection, attempt)
        if held.number != record.number:
            raise ValueError(f"the record is of trial {record.number}, the attempt of trial {held.number}")
        attempts.finish(connection, attempt)
    _refuse_second(connection, study, record)
    record_id = write_record(connection, record, study_id=study.id)
    return fronts.move(connection, study, record, record_id)


def write_record(
    connection: Connection, record: TrialRecord, *, study_id: int | None = None, trained_id: int | None = None
) -> int:
    """Store a record with all that belongs to it, for its one owner; returns its row's number."""
    row = {
        "study_id": study_id,
        "trained_id": trained_id,
        "number": record.number,
        "name": record.name,
        "outcome": str(record.outcome),
        "reason": record.reason.replace("\0", ""),  # PostgreSQL's text holds none; messages of others may
        "params": dict(record.params),
        "architecture_key": _architecture(connection, record.spec),
        "origin_key": _origin(connection, record.origin),
        "identity": record.identity,
        "recipe": dict(record.recipe),
        "seed": record.seed,
        "constraints": dict(record.constraints),
        "checkpoint": record.checkpoint,
        "lineage": record.lineage,
        "seconds": dict(record.seconds),
        "started": record.started,
        "finished": record.finished,
    }
    (record_id,) = connection.execute(insert(RecordRow).values(**row)).inserted_primary_key or (0,)
    _write_many(connection, MeasurementRow, record_id, map(vars, record.measurements))
    _write_many(connection, EvaluationRow, record_id, map(_figures, record.evaluations))
    _write_many(connection, RungRow, record_id, map(vars, record.rungs))
    curves = [
        {"record_id": record_id, "split": evaluation.split, "packed": pack_curves(evaluation.curves)}
        for evaluation in record.evaluations
        if evaluation.curves is not None
    ]
    if curves:
        connection.execute(insert(CurvesRow), curves)
    return int(record_id)


def _refuse_second(connection: Connection, study: StudyEntry, record: TrialRecord) -> None:
    same = RecordRow.name == record.name
    if record.number is not None:
        same = or_(same, RecordRow.number == record.number)
    statement = select(RecordRow.name).where(RecordRow.study_id == study.id, same).limit(1)
    if name := connection.execute(statement).scalar_one_or_none():
        raise AlreadyStored(f"'{name}' is stored already in study '{study.sampler_name}'")


def _architecture(connection: Connection, spec: ArchSpec | None) -> str | None:
    if spec is None:
        return None
    known = select(ArchitectureRow.key).where(ArchitectureRow.key == spec.key)
    if connection.execute(known).scalar_one_or_none() is None:
        layout = layout_key(spec)
        row = {"key": layout, "parent": spec.parent, "group_names": spec.groups, "widths": spec.widths}
        insert_if_new(connection, LayoutRow, row)
        row = {"key": spec.key, "shape_key": spec.shape_key, "layout_key": layout}
        insert_if_new(connection, ArchitectureRow, {**row, "masks": pack_masks(spec), "dropped": spec.dropped})
    return spec.key


def _origin(connection: Connection, origin: Origin | None) -> str | None:
    if origin is None:
        return None
    insert_if_new(connection, OriginRow, {"key": origin.key, "layers": origin.layers})
    return origin.key


def _figures(evaluation: Evaluation) -> dict[str, Any]:
    return {name: value for name, value in vars(evaluation).items() if name != "curves"}


def _write_many(connection: Connection, table: type[Table], record_id: int, entries: Iterable[dict[str, Any]]) -> None:
    rows: Sequence[dict[str, Any]] = [
        {"record_id": record_id, "position": position, **entry} for position, entry in enumerate(entries)
    ]
    if rows:
        connection.execute(insert(table), rows)
