"""Tables. Their names start with `yolofront_`, so that they can stand beside Optuna's under one URL.

What is stored and what can be asked of it::

    studies --< frozen                facts settled at the start
        |-----< attempts --< reports  who works on which trial; its learning curve so far
        |-----< records               one finished trial or reference row, never changed
        |          |--< measurements, evaluations --< curves, rungs
        |          '--> architectures --> layouts;  origins          each stored once
        '-----< fronts --< front_members --> records                 the front each time it changed
    trained --- records               parents and donors, with their figures and lineage
    targets, latencies                append-only, with raw samples: in `search.store.latency_models`
    confirmations --< confirmation_members --> records           finalists timed again, there too
    workers                           the number of each worker within a study
    runs                              jobs, nodes and activities of the runs: in `search.store.runs.run_table`
    writers                           the last transaction of each process: see `search.store.outage.once`

The front after 20 trials, in SQL::

    SELECT r.name FROM yolofront_front_members m JOIN yolofront_records r ON r.id = m.record_id
    WHERE m.front_id = (SELECT id FROM yolofront_fronts WHERE study_id = 1 AND after <= 20
                        ORDER BY sequence DESC LIMIT 1) ORDER BY m.position
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from search.store.columns import PREFIX, BigId, Id, Json, Moment, Plain, Table


class StudyRow(Table):
    """A study; `generation` grows with every `--new`."""

    __tablename__ = f"{PREFIX}studies"
    __table_args__ = (UniqueConstraint("name", "generation"),)
    id: Mapped[Id]
    name: Mapped[str]
    generation: Mapped[int]
    definition: Mapped[Plain]
    objectives: Mapped[Plain]  # [[name, direction], ...]
    created: Mapped[Moment]


class WriterRow(Table):
    """Last transaction of one thread of one process, so that a commit without an answer can be recognised."""

    __tablename__ = f"{PREFIX}writers"
    writer: Mapped[str] = mapped_column(primary_key=True)
    last: Mapped[str]
    at: Mapped[Moment]


class WorkerRow(Table):
    """Number of a worker within a study, and the run that has it, or had it last."""

    __tablename__ = f"{PREFIX}workers"
    study: Mapped[str] = mapped_column(primary_key=True)
    generation: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    host: Mapped[str]
    pid: Mapped[int]
    started: Mapped[float]
    joined: Mapped[Moment]
    is_free: Mapped[bool]


class FrozenRow(Table):
    """A fact of a study, written once."""

    __tablename__ = f"{PREFIX}frozen"
    study_id: Mapped[int] = mapped_column(BigId, ForeignKey(StudyRow.id), primary_key=True)
    fact: Mapped[str] = mapped_column(primary_key=True)
    content: Mapped[Plain]


class AttemptRow(Table):
    """Right to work on one trial, and its holder."""

    __tablename__ = f"{PREFIX}attempts"
    __table_args__ = (
        UniqueConstraint("study_id", "number"),
        Index(None, "study_id", "state"),
        Index(None, "study_id", "identity"),
    )
    id: Mapped[Id]
    study_id: Mapped[int] = mapped_column(BigId, ForeignKey(StudyRow.id))
    state: Mapped[str]  # running, waiting or finished
    token: Mapped[str]
    number: Mapped[int | None]
    tries: Mapped[int]
    params: Mapped[Any | None] = mapped_column(Json(none_as_null=True))
    identity: Mapped[str | None]
    deaths: Mapped[Any | None] = mapped_column(Json(none_as_null=True))  # what its workers died of, oldest first
    worker_host: Mapped[str]
    worker_pid: Mapped[int]
    worker_started: Mapped[float]
    heartbeat: Mapped[Moment]
    opened: Mapped[Moment]


class ReportRow(Table):
    """One point of the learning curve of a trial that is not finished."""

    __tablename__ = f"{PREFIX}reports"
    attempt_id: Mapped[int] = mapped_column(BigId, ForeignKey(AttemptRow.id), primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    map50_95: Mapped[float]
    map50: Mapped[float]
    loss: Mapped[float]
    seconds: Mapped[float]


class LayoutRow(Table):
    """Names and widths of a parent's channel groups."""

    __tablename__ = f"{PREFIX}layouts"
    key: Mapped[str] = mapped_column(primary_key=True)
    parent: Mapped[str]
    group_names: Mapped[Plain]
    widths: Mapped[Plain]


class ArchitectureRow(Table):
    """Kept channels and dropped residual bottlenecks.

    `masks` holds one packed bit mask a group, each starting at a byte; `dropped` is empty in all rows from before
    bottlenecks could be left out.
    """

    __tablename__ = f"{PREFIX}architectures"
    key: Mapped[str] = mapped_column(primary_key=True)
    shape_key: Mapped[str] = mapped_column(index=True)
    layout_key: Mapped[str] = mapped_column(ForeignKey(LayoutRow.key))
    masks: Mapped[bytes]
    dropped: Mapped[Plain]


class OriginRow(Table):
    """Source of each layer's weights."""

    __tablename__ = f"{PREFIX}origins"
    key: Mapped[str] = mapped_column(primary_key=True)
    layers: Mapped[Plain]


class TrainedRow(Table):
    """Parent or donor, trained once and found again; its figures are the record that belongs to it."""

    __tablename__ = f"{PREFIX}trained"
    id: Mapped[Id]
    key: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    parent: Mapped[str] = mapped_column(index=True)
    lineage: Mapped[str | None]
    created: Mapped[Moment]


class RecordRow(Table):
    """Finished trial or reference row of a study, or the figures of a trained network. Never changed."""

    __tablename__ = f"{PREFIX}records"
    __table_args__ = (
        UniqueConstraint("study_id", "number"),
        UniqueConstraint("study_id", "name"),
        Index(None, "study_id", "identity"),
        CheckConstraint("(study_id IS NULL) <> (trained_id IS NULL)", name="one_owner"),
    )
    id: Mapped[Id]
    study_id: Mapped[int | None] = mapped_column(BigId, ForeignKey(StudyRow.id))
    trained_id: Mapped[int | None] = mapped_column(BigId, ForeignKey(TrainedRow.id), unique=True)
    number: Mapped[int | None]
    name: Mapped[str]
    outcome: Mapped[str]
    reason: Mapped[str]
    params: Mapped[Plain]
    architecture_key: Mapped[str | None] = mapped_column(ForeignKey(ArchitectureRow.key), index=True)
    origin_key: Mapped[str | None] = mapped_column(ForeignKey(OriginRow.key))
    identity: Mapped[str]
    recipe: Mapped[Plain]
    seed: Mapped[int]
    constraints: Mapped[Plain]
    checkpoint: Mapped[str | None]
    lineage: Mapped[str | None]
    ancestors: Mapped[Any | None] = mapped_column(Json(none_as_null=True))  # [[name, checkpoint, epochs], ...]
    seconds: Mapped[Plain]
    started: Mapped[datetime | None]
    finished: Mapped[datetime | None]
    stored: Mapped[Moment]


class MeasurementRow(Table):
    """One measured quantity of a record."""

    __tablename__ = f"{PREFIX}measurements"
    __table_args__ = (Index(None, "name"),)
    record_id: Mapped[int] = mapped_column(BigId, ForeignKey(RecordRow.id), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str]
    value: Mapped[float]
    unit: Mapped[str]
    low: Mapped[float | None]
    high: Mapped[float | None]
    runs: Mapped[int]
    ratio: Mapped[float | None]
    target: Mapped[str | None]
    contended: Mapped[bool | None]
    predicted: Mapped[bool]


class EvaluationRow(Table):
    """Accuracy of a record on one split."""

    __tablename__ = f"{PREFIX}evaluations"
    __table_args__ = (UniqueConstraint("record_id", "split"),)
    record_id: Mapped[int] = mapped_column(BigId, ForeignKey(RecordRow.id), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    split: Mapped[str]
    images: Mapped[int]
    map50_95: Mapped[float]
    map50: Mapped[float]
    precision: Mapped[float]
    recall: Mapped[float]
    f1: Mapped[float]
    confidence: Mapped[float]
    iou: Mapped[float]
    best_f1: Mapped[float]
    best_f1_confidence: Mapped[float]
    precision_at_best_f1: Mapped[float]
    recall_at_best_f1: Mapped[float]
    ap_per_class: Mapped[Plain]


class CurvesRow(Table):
    """Curves of P, R and F1 against confidence of one evaluation: four rows of doubles, packed and compressed."""

    __tablename__ = f"{PREFIX}curves"
    record_id: Mapped[int] = mapped_column(BigId, ForeignKey(RecordRow.id), primary_key=True)
    split: Mapped[str] = mapped_column(primary_key=True)
    packed: Mapped[bytes]


class RungRow(Table):
    """One point of a record's learning curve."""

    __tablename__ = f"{PREFIX}rungs"
    record_id: Mapped[int] = mapped_column(BigId, ForeignKey(RecordRow.id), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    epoch: Mapped[int]
    map50_95: Mapped[float]
    map50: Mapped[float]
    loss: Mapped[float]
    seconds: Mapped[float]


class FrontRow(Table):
    """Front of a study at a change."""

    __tablename__ = f"{PREFIX}fronts"
    __table_args__ = (UniqueConstraint("study_id", "sequence"),)
    id: Mapped[Id]
    study_id: Mapped[int] = mapped_column(BigId, ForeignKey(StudyRow.id))
    sequence: Mapped[int]
    after: Mapped[int]  # counted trials stored at that moment
    hypervolume: Mapped[float]
    reference_point: Mapped[Plain]
    at: Mapped[Moment]


class FrontMemberRow(Table):
    """Record on a front, with its objective values."""

    __tablename__ = f"{PREFIX}front_members"
    front_id: Mapped[int] = mapped_column(BigId, ForeignKey(FrontRow.id), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    record_id: Mapped[int] = mapped_column(BigId, ForeignKey(RecordRow.id))
    objective_values: Mapped[Plain]
