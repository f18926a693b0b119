"""Attempts: the right of a worker to run a trial. Every function runs inside the caller's transaction.

::

    reserve ──> running ──add──> finished
                 │  ▲
         release │  │ reserve (a new token excludes the earlier holder)
       reconcile ▼  │
                waiting
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.engine import Row
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.elements import ColumnElement

from objectives.base import EpochResult
from search.record.trial import Outcome
from search.store.base import AlreadyStored, Attempt, Fenced, OpenAttempt, StudyEntry, WorkerId
from search.store.columns import database_now, seconds_since
from search.store.models import AttemptRow, RecordRow, ReportRow
from search.store.statements import insert_or_replace, lock_study
from spaces.base import ParamValue

RUNNING, WAITING, FINISHED = "running", "waiting", "finished"
COUNTED = (RecordRow.number.is_not(None), RecordRow.outcome != Outcome.DUPLICATE)


def counted(connection: Connection, study_id: int) -> int:
    """See `Store.counted`."""
    statement = select(func.count()).select_from(RecordRow).where(RecordRow.study_id == study_id, *COUNTED)
    return connection.execute(statement).scalar_one()


def last_number(connection: Connection, study_id: int) -> int | None:
    """See `Store.last_number`."""
    return connection.execute(select(func.max(RecordRow.number)).where(RecordRow.study_id == study_id)).scalar()


def reserve(connection: Connection, study: StudyEntry, worker: WorkerId, limit: int) -> Attempt | None:
    """See `Store.reserve`."""
    lock_study(connection, study.id)
    waiting = select(AttemptRow.__table__).where(AttemptRow.study_id == study.id, AttemptRow.state == WAITING)
    row = connection.execute(waiting.order_by(AttemptRow.id).limit(1)).one_or_none()
    token = secrets.token_hex(16)
    taken = {
        "state": RUNNING,
        "token": token,
        "heartbeat": database_now(),
        "worker_host": worker.host,
        "worker_pid": worker.pid,
        "worker_started": worker.started,
    }
    if row is not None:
        connection.execute(update(AttemptRow).where(AttemptRow.id == row.id).values(**taken))
        return Attempt(row.id, study.id, token, row.number, row.tries, row.params, tuple(row.deaths or ()))
    is_open = (AttemptRow.study_id == study.id, AttemptRow.state != FINISHED)
    opened = connection.execute(select(func.count()).select_from(AttemptRow).where(*is_open)).scalar_one()
    if counted(connection, study.id) + opened >= limit:
        return None
    added = connection.execute(insert(AttemptRow).values(study_id=study.id, tries=1, **taken))
    (attempt_id,) = added.inserted_primary_key or (0,)
    return Attempt(int(attempt_id), study.id, token)


def assign(connection: Connection, attempt: Attempt, number: int, params: Mapping[str, ParamValue]) -> Attempt:
    """See `Store.assign`."""
    held = row_held(connection, attempt)
    if held.number is not None:
        raise AlreadyStored(f"the attempt has trial number {held.number} already; it cannot become {number}")
    try:
        given = update(AttemptRow).where(AttemptRow.id == attempt.id).values(number=number, params=dict(params))
        connection.execute(given)
    except IntegrityError:  # the only constraint that this statement can break
        raise AlreadyStored(f"trial {number} is assigned already in this study") from None
    return Attempt(attempt.id, attempt.study_id, attempt.token, number, held.tries, dict(params), attempt.deaths)


def claim_identity(connection: Connection, attempt: Attempt, identity: str) -> str | None:
    """See `Store.claim_identity`."""
    lock_study(connection, attempt.study_id)
    row_held(connection, attempt)
    stored = select(RecordRow.name).where(
        RecordRow.study_id == attempt.study_id,
        RecordRow.identity == identity,
        RecordRow.outcome != Outcome.DUPLICATE,
    )
    if name := connection.execute(stored.order_by(RecordRow.id).limit(1)).scalar_one_or_none():
        return name
    others = select(AttemptRow.number).where(
        AttemptRow.study_id == attempt.study_id,
        AttemptRow.identity == identity,
        AttemptRow.state != FINISHED,  # a waiting one too: its trial will be claimed again
        AttemptRow.id != attempt.id,
    )
    if other := connection.execute(others.limit(1)).one_or_none():
        return f"trial {other.number}"
    connection.execute(update(AttemptRow).where(AttemptRow.id == attempt.id).values(identity=identity))
    return None


def heartbeat(connection: Connection, attempt: Attempt) -> None:
    """See `Store.heartbeat`."""
    touched = connection.execute(update(AttemptRow).where(*_holds(attempt)).values(heartbeat=database_now()))
    if touched.rowcount != 1:
        raise _fenced(attempt)


def release(connection: Connection, attempt: Attempt) -> None:
    """See `Store.release`. An attempt without a number has nothing to continue and is removed."""
    unassigned = connection.execute(delete(AttemptRow).where(*_holds(attempt), AttemptRow.number.is_(None)))
    if unassigned.rowcount == 0:
        connection.execute(update(AttemptRow).where(*_holds(attempt)).values(state=WAITING))


def running(connection: Connection, study: StudyEntry) -> list[Row[Any]]:
    """Return running attempts: the table's columns, and the `age` of the last heartbeat in s."""
    statement = select(AttemptRow.__table__, seconds_since(AttemptRow.heartbeat).label("age"))
    found = statement.where(AttemptRow.study_id == study.id, AttemptRow.state == RUNNING).order_by(AttemptRow.id)
    return list(connection.execute(found))


def dead(
    rows: list[Row[Any]], is_alive: Callable[[WorkerId], bool | None], stale_after_s: float
) -> list[tuple[ColumnElement[bool], ...]]:
    """Return, for each running attempt of a dead worker, the conditions under which that still holds."""
    found = []
    for row in rows:
        alive = is_alive(WorkerId(row.worker_host, row.worker_pid, row.worker_started))
        if alive or (alive is None and row.age <= stale_after_s):
            continue
        conditions = [AttemptRow.id == row.id, AttemptRow.token == row.token, AttemptRow.state == RUNNING]
        if alive is None:  # it may have sent a heartbeat since
            conditions.append(seconds_since(AttemptRow.heartbeat) > stale_after_s)
        found.append(tuple(conditions))
    return found


def make_wait(
    connection: Connection, study: StudyEntry, dead_ones: list[tuple[ColumnElement[bool], ...]]
) -> tuple[int, ...]:
    """Let the attempts of dead workers wait, one try more; remove those without a number."""
    lock_study(connection, study.id)
    numbers: list[int | None] = []
    for conditions in dead_ones:
        connection.execute(delete(AttemptRow).where(*conditions, AttemptRow.number.is_(None)))
        waits = update(AttemptRow).where(*conditions).values(state=WAITING, tries=AttemptRow.tries + 1)
        numbers += connection.execute(waits.returning(AttemptRow.number)).scalars().all()
    return tuple(sorted(number for number in numbers if number is not None))


def note_death(connection: Connection, study: StudyEntry, number: int, cause: str) -> None:
    """See `Store.note_death`."""
    lock_study(connection, study.id)
    is_open = (AttemptRow.study_id == study.id, AttemptRow.number == number, AttemptRow.state != FINISHED)
    row = connection.execute(select(AttemptRow.id, AttemptRow.deaths).where(*is_open)).one_or_none()
    if row is not None:
        deaths = [*(row.deaths or ()), cause]
        connection.execute(update(AttemptRow).where(AttemptRow.id == row.id).values(deaths=deaths))


def open_attempts(connection: Connection, study: StudyEntry) -> tuple[OpenAttempt, ...]:
    """See `Store.open_attempts`."""
    statement = select(AttemptRow.__table__, seconds_since(AttemptRow.heartbeat).label("age"))
    found = statement.where(AttemptRow.study_id == study.id, AttemptRow.state != FINISHED).order_by(AttemptRow.id)
    return tuple(
        OpenAttempt(
            row.number,
            WorkerId(row.worker_host, row.worker_pid, row.worker_started) if row.state == RUNNING else None,
            row.tries,
            row.age,
            row.heartbeat,
            row.params,
        )
        for row in connection.execute(found)
    )


def report(connection: Connection, attempt: Attempt, result: EpochResult) -> None:
    """See `Store.report`. It is a sign of life as well."""
    heartbeat(connection, attempt)
    insert_or_replace(connection, ReportRow, {"attempt_id": attempt.id, **vars(result)})


def finish(connection: Connection, attempt: Attempt) -> None:
    """End an attempt that is held; its curve is the record's from now on."""
    connection.execute(delete(ReportRow).where(ReportRow.attempt_id == attempt.id))
    connection.execute(update(AttemptRow).where(*_holds(attempt)).values(state=FINISHED, heartbeat=database_now()))


def row_held(connection: Connection, attempt: Attempt) -> Row[Any]:
    """Return the attempt's row, locked until the transaction ends.

    Raises:
        Fenced: If the attempt was taken away.
        AlreadyStored: If this very holder has finished it.
    """
    statement = select(AttemptRow.__table__).where(AttemptRow.id == attempt.id).with_for_update(key_share=True)
    row = connection.execute(statement).one_or_none()
    if row is None or row.token != attempt.token or row.state == WAITING:
        raise _fenced(attempt)
    if row.state == FINISHED:
        raise AlreadyStored(f"trial {row.number} is stored already")
    return row


def _holds(attempt: Attempt) -> tuple[ColumnElement[bool], ...]:
    return AttemptRow.id == attempt.id, AttemptRow.token == attempt.token, AttemptRow.state == RUNNING


def _fenced(attempt: Attempt) -> Fenced:
    which = "an attempt without a number" if attempt.number is None else f"trial {attempt.number}"
    return Fenced(f"{which} was given to another worker; this worker's result is dropped")
