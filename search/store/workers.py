"""Numbers of workers within a study. Every function runs inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection
from itertools import count, islice

from sqlalchemy import Connection, select, text, update
from sqlalchemy.sql.elements import ColumnElement

from search.store.base import WorkerId
from search.store.columns import database_now
from search.store.models import WorkerRow
from search.store.statements import insert_or_replace


def runs(connection: Connection, study: tuple[str, int]) -> set[WorkerId]:
    """Return the runs that have numbers of the study."""
    return set(_holders(connection, study).values())


def join(
    connection: Connection, study: tuple[str, int], run: WorkerId, workers: int, dead: Collection[WorkerId]
) -> tuple[int, ...]:
    """See `Store.join`.

    Args:
        dead: Runs whose numbers are free.
    """
    if connection.dialect.name == "postgresql":  # two runs at once must not get the same number
        connection.execute(text(f"LOCK TABLE {WorkerRow.__tablename__} IN SHARE ROW EXCLUSIVE MODE"))
    taken = {number for number, holder in _holders(connection, study).items() if holder not in dead}
    numbers = tuple(islice((number for number in count() if number not in taken), workers))
    name, generation = study
    for number in numbers:
        row = {"study": name, "generation": generation, "number": number, "is_free": False, "joined": database_now()}
        insert_or_replace(connection, WorkerRow, row | vars(run))
    return numbers


def leave(connection: Connection, study: tuple[str, int], run: WorkerId) -> None:
    """See `Store.leave`."""
    own = (WorkerRow.host == run.host, WorkerRow.pid == run.pid, WorkerRow.started == run.started)
    connection.execute(update(WorkerRow).where(*_of(study), *own).values(is_free=True))


def _holders(connection: Connection, study: tuple[str, int]) -> dict[int, WorkerId]:
    rows = connection.execute(select(WorkerRow.__table__).where(*_of(study), WorkerRow.is_free.is_(False)))
    return {row.number: WorkerId(row.host, row.pid, row.started) for row in rows}


def _of(study: tuple[str, int]) -> tuple[ColumnElement[bool], ...]:
    return WorkerRow.study == study[0], WorkerRow.generation == study[1]
