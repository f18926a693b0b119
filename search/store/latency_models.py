"""Tables of latency: targets, every measurement with its raw blocks, and confirmations of finalists."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from search.store.columns import PREFIX, BigId, Id, Json, Moment, Plain, Table
from search.store.models import RecordRow, StudyRow


class TargetRow(Table):
    """Latency target with its frozen reference; circumstances are those of the freeze, null in old rows."""

    __tablename__ = f"{PREFIX}targets"
    key: Mapped[str] = mapped_column(primary_key=True)
    description: Mapped[Plain]
    reference_ms: Mapped[float]
    contended: Mapped[bool | None]
    circumstances: Mapped[Any | None] = mapped_column(Json(none_as_null=True))
    created: Mapped[Moment]


class LatencyRow(Table):
    """Latency measurement of a shape on a target, with every sample.

    `shape_key` ends in the image size (`... 128 px`) where that is not the target's own. What stands below `at` is
    null in rows from before it was kept, and of a predicted latency.
    """

    __tablename__ = f"{PREFIX}latencies"
    __table_args__ = (Index(None, "shape_key", "target_key"), Index(None, "target_key"))
    id: Mapped[Id]
    shape_key: Mapped[str]
    target_key: Mapped[str]
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
    samples_ms: Mapped[Plain]
    at: Mapped[Moment]
    parent: Mapped[str | None]  # with the next three, all that a `spaces.structure.shape.Shape` is
    widths: Mapped[Any | None] = mapped_column(Json(none_as_null=True))
    dropped: Mapped[Any | None] = mapped_column(Json(none_as_null=True))
    imgsz: Mapped[int | None]
    p50_ms: Mapped[float | None]  # of single runs, as p90 and p99
    p90_ms: Mapped[float | None]
    p99_ms: Mapped[float | None]
    spread: Mapped[float | None]  # how much single blocks differ, as a share of their median
    reference_ms: Mapped[float | None]  # the reference's own time in this measurement
    other_ratio: Mapped[float | None]  # the ratio by the clock that `value` does not go by
    circumstances: Mapped[Any | None] = mapped_column(Json(none_as_null=True))
    blocks: Mapped[bytes | None]  # all raw times, packed


class ConfirmationRow(Table):
    """Confirmation: finalists of a study re-measured, interleaved with each other; the newest sequence counts."""

    __tablename__ = f"{PREFIX}confirmations"
    __table_args__ = (UniqueConstraint("study_id", "sequence"),)
    id: Mapped[Id]
    study_id: Mapped[int] = mapped_column(BigId, ForeignKey(StudyRow.id))
    sequence: Mapped[int]
    target_key: Mapped[str]
    clock: Mapped[str]  # cpu or wall
    circumstances: Mapped[Any | None] = mapped_column(Json(none_as_null=True))
    at: Mapped[Moment]


class ConfirmationMemberRow(Table):
    """Finalist: its latency in ms with the 95 % interval, and the names of those that it ties with."""

    __tablename__ = f"{PREFIX}confirmation_members"
    confirmation_id: Mapped[int] = mapped_column(BigId, ForeignKey(ConfirmationRow.id), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    record_id: Mapped[int] = mapped_column(BigId, ForeignKey(RecordRow.id))
    value: Mapped[float]
    low: Mapped[float]
    high: Mapped[float]
    ratio: Mapped[float]
    runs: Mapped[int]
    ties: Mapped[Plain]
    samples: Mapped[Plain]  # ms, one a block
