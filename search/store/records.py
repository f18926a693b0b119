"""Writing records with the front that they change, and reading them back. All inside the caller's transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, insert, or_, select

from objectives.base import Curves, EpochResult, Evaluation, Measurement
from search.record.ancestors import Ancestor
from search.record.trial import Outcome, TrialRecord
from search.store import attempts, fronts
from search.store.base import AlreadyStored, Attempt, StudyEntry
from search.store.columns import Table
from search.store.entries import FrontEntry
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
from search.store.packing import layout_key, pack_curves, pack_masks, unpack_curves, unpack_masks
from search.store.statements import insert_if_new, lock_study
from spaces.base import ArchSpec, Origin


def add_record(
    connection: Connection, study: StudyEntry, record: TrialRecord, attempt: Attempt | None
) -> FrontEntry | None:
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
        "ancestors": [[each.name, each.checkpoint, each.epochs] for each in record.ancestors] or None,
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
        raise AlreadyStored(
            f"'{name}' is stored already in study '{study.sampler_name}' (another worker stored it; nothing is lost)"
        )


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
            ancestors=tuple(Ancestor(*each) for each in row.ancestors or ()),
            seconds=row.seconds,
            started=row.started,
            finished=row.finished,
        )
        for row in rows
    }


def records_after(
    connection: Connection, study_id: int, after: int, *, curves: bool, names: Sequence[str] | None = None
) -> tuple[TrialRecord, ...]:
    """See `Store.records`. A record is added under the study's lock, so row numbers rise in the order of adding."""
    wanted = [RecordRow.study_id == study_id]
    if after:
        first = select(RecordRow.id).where(*wanted).order_by(RecordRow.id).offset(after).limit(1)
        found = connection.execute(first).scalar_one_or_none()
        if found is None:
            return ()
        wanted.append(RecordRow.id >= found)
    if names is not None:
        wanted.append(RecordRow.name.in_(names))
    return tuple(read_records(connection, *wanted, curves=curves).values())


def _children(connection: Connection, table: type[Table], wanted: Any) -> defaultdict[int, list[dict[str, Any]]]:
    """Return rows that belong to the wanted records, as the arguments of what they were made from."""
    columns = table.__table__.c
    statement = select(table.__table__).where(columns.record_id.in_(wanted))
    found: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in connection.execute(statement.order_by(columns.record_id, columns.position)).mappings().all():
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
