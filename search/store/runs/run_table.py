"""Table of runs, and its statements. Every function runs inside the caller's transaction."""

from __future__ import annotations

from dataclasses import asdict, fields

from sqlalchemy import Connection, select
from sqlalchemy.orm import Mapped, mapped_column

from search.store.columns import PREFIX, Moment, Plain, Table, database_now, seconds_since
from search.store.runs.register import RunEntry, StoredRun
from search.store.statements import insert_or_replace


class RunRow(Table):
    """A run of a study, with its last sign of life. See `RunEntry`."""

    __tablename__ = f"{PREFIX}runs"
    study: Mapped[str] = mapped_column(primary_key=True)
    generation: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    host: Mapped[str] = mapped_column(primary_key=True)
    pid: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    started: Mapped[float] = mapped_column(primary_key=True)
    system: Mapped[str]
    job: Mapped[str]
    restarts: Mapped[int]
    node: Mapped[str]
    device: Mapped[str]
    gpus: Mapped[int]
    gpu_hours: Mapped[float | None]
    doing: Mapped[Plain]
    progress_s: Mapped[float]
    why: Mapped[str]
    began: Mapped[Moment]
    seen: Mapped[Moment]


def note_run(connection: Connection, entry: RunEntry) -> None:
    """See `RunRegister.note_run`."""
    insert_or_replace(connection, RunRow, asdict(entry) | {"doing": list(entry.doing), "seen": database_now()})


def stored_runs(connection: Connection, study: str, generation: int) -> tuple[StoredRun, ...]:
    """See `RunRegister.runs`."""
    own = (RunRow.study == study, RunRow.generation == generation)
    statement = select(RunRow.__table__, seconds_since(RunRow.seen).label("age_s")).where(*own)
    return tuple(
        StoredRun(
            entry=RunEntry(
                **{each.name: getattr(row, each.name) for each in fields(RunEntry)} | {"doing": tuple(row.doing)}
            ),
            began=row.began,
            seconds=(row.seen - row.began).total_seconds(),
            age_s=row.age_s,
        )
        for row in connection.execute(statement.order_by(RunRow.began))
    )
