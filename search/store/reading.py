"""Reading records back, whole. Every function runs inside the caller's transaction."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, select

from objectives.base import Curves, EpochResult, Evaluation, Measurement
from search.record.trial import Outcome, TrialRecord
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
from search.store.packing import unpack_curves, unpack_masks
from search.store.table import Table
from spaces.base import ArchSpec, Origin

_OWNER = ("record_id", "position")


def read_records(connection: Connection, *conditions: Any, curves: bool = False) -> dict[int, TrialRecord]:
    """Records that meet the conditions, by their row's number, in the order they were added."""
    rows = connection.execute(select(RecordRow.__table__).where(*conditions).order_by(RecordRow.id)).all()
    wanted = select(RecordRow.id).where(*conditions)
    measurements = _children(connection, MeasurementRow, wanted)
    evaluations = _children(connection, EvaluationRow, wanted)
    rungs = _children(connection, RungRow, wanted)
    packed = _curves(connection, wanted) if curves else {}
    specs = _specs(connection, conditions)
    origins = _origins(connection, conditions)
    return {
        row.id: TrialRecord(
            number=row.number,
            name=row.name,
            outcome=Outcome(row.outcome),
            reason=row.reason,
            params=row.params,
            spec=specs.get(row.architecture_key),
            origin=origins.get(row.origin_key),
            identity=row.identity,
            recipe=row.recipe,
            seed=row.seed,
            measurements=tuple(Measurement(**entry) for entry in measurements[row.id]),
            evaluations=tuple(_evaluation(one, packed.get((row.id, one["split"]))) for one in evaluations[row.id]),
            rungs=tuple(EpochResult(**entry) for entry in rungs[row.id]),
            constraints=row.constraints,
            checkpoint=row.checkpoint,
            lineage=row.lineage,
            seconds=row.seconds,
            started=row.started,
            finished=row.finished,
        )
        for row in rows
    }


def records_after(connection: Connection, study_id: int, after: int, *, curves: bool) -> tuple[TrialRecord, ...]:
    """See `Store.records`. Whoever adds one holds the study's lock: row numbers rise in the order of adding."""
    of_study = RecordRow.study_id == study_id
    if not after:
        return tuple(read_records(connection, of_study, curves=curves).values())
    last = select(RecordRow.id).where(of_study).order_by(RecordRow.id).offset(after - 1).limit(1)
    known = connection.execute(last).scalar_one_or_none()
    if known is None:
        return ()
    return tuple(read_records(connection, of_study, RecordRow.id > known, curves=curves).values())


def _children(connection: Connection, table: type[Table], wanted: Any) -> defaultdict[int, list[dict[str, Any]]]:
    """Rows that belong to the wanted records, as the arguments of what they were made from."""
    columns = table.__table__.c
    statement = select(table.__table__).where(columns.record_id.in_(wanted))
    found: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in connection.execute(statement.order_by(columns.record_id, columns.position)).mappings():
        found[row["record_id"]].append({name: value for name, value in row.items() if name not in _OWNER})
    return found


def _curves(connection: Connection, wanted: Any) -> dict[tuple[int, str], Curves]:
    rows = connection.execute(select(CurvesRow.__table__).where(CurvesRow.record_id.in_(wanted)))
    return {(row.record_id, row.split): unpack_curves(row.packed) for row in rows}


def _evaluation(entry: dict[str, Any], curves: Curves | None) -> Evaluation:
    return Evaluation(**{**entry, "ap_per_class": tuple(entry["ap_per_class"]), "curves": curves})


def _specs(connection: Connection, conditions: tuple[Any, ...]) -> dict[str | None, ArchSpec]:
    wanted = select(RecordRow.architecture_key).where(*conditions)
    statement = (
        select(ArchitectureRow.__table__, LayoutRow.parent, LayoutRow.group_names, LayoutRow.widths)
        .join(LayoutRow, LayoutRow.key == ArchitectureRow.layout_key)
        .where(ArchitectureRow.key.in_(wanted))
    )
    return {
        row.key: unpack_masks(row.masks, row.parent, row.group_names, row.widths, row.dropped)
        for row in connection.execute(statement)
    }


def _origins(connection: Connection, conditions: tuple[Any, ...]) -> dict[str | None, Origin]:
    wanted = select(RecordRow.origin_key).where(*conditions)
    rows = connection.execute(select(OriginRow.__table__).where(OriginRow.key.in_(wanted)))
    return {row.key: Origin(tuple(row.layers)) for row in rows}
