# ruff: noqa: D102 (the contract in search/store/base.py says what each method promises)
"""Store on SQLite and PostgreSQL. Transactions begin and end here; the statements are in the files beside."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, final

from sqlalchemy import Connection

from objectives.base import Direction, EpochResult
from search.record.confirmation import Confirmation
from search.record.trial import TrialRecord
from search.store import attempts, fronts, records, reusable, studies
from search.store.base import (
    Attempt,
    OpenAttempt,
    Store,
    StoreUnavailable,
    StudyEntry,
    WorkerId,
)
from search.store.database import Database
from search.store.entries import FrontEntry, LatencyEntry, TargetEntry, TrainedEntry
from search.store.latency_models import ConfirmationRow
from search.store.migrations import migrate
from search.store.models import FrontRow, TrainedRow
from search.store.outage.among_all import once_among_all
from search.store.outage.network_mount import refuse_network_file
from search.store.outage.once import Once
from search.store.outage.patience import Patience, Result
from search.store.runs import run_table
from search.store.runs.register import RunEntry, StoredRun
from search.store.sampling.advice import Advice
from search.store.sampling.advice_rows import write_advice
from search.store.url import parse, sqlite_file
from spaces.base import ParamValue

RELEASE_TIMEOUT_S = 2.0  # an interrupted worker has 10 s in all


def open_store(url: str, patience: Patience | None = None, *, keeps: bool = True) -> Store:
    """Open a database; create and migrate our tables first where needed, once among all workers.

    A file on a medium that cannot be written is read from a copy, and refuses whatever would write.

    Args:
        url: `sqlite:///folder/file.db` (the folder is made), `sqlite://` (in memory, gone with this process) or
            `postgresql+psycopg://user:password@host/database`.
        patience: Waiting time of all calls while the database is away; by default a quarter of an hour, with a line on
            standard error.
        keeps: See `Database`.

    Raises:
        StoreUnavailable: If it cannot be reached, opened or written.
        StoreError: If the URL is not understood or names a file on a network file system, or if the schema is newer
            than this code.
    """
    parsed = parse(url)
    if (file := sqlite_file(parsed)) is not None:
        refuse_network_file(file)
    database = Database(parsed, patience, keeps=keeps)
    try:
        database, is_read_only = _prepared(database)
        with once_among_all(database, "schema", lambda: database.ask(migrate.version) == migrate.HEAD) as is_mine:
            if is_mine:
                database.change(migrate.upgrade)
        database.is_read_only = is_read_only
    except BaseException:
        database.close()
        raise
    return SqlStore(database)


def _prepared(database: Database) -> tuple[Database, bool]:
    """Return the database, or a copy of it where it lies on a medium that cannot be written; and which of both."""
    try:
        database.prepare()
    except StoreUnavailable:
        if not database.lies_read_only:
            raise
        copy = database.readable_copy()
        database.close()
        copy.prepare()
        return copy, True
    return database, False


@final
class SqlStore(Store):
    """Methods of the contract, one transaction each."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def _change(self, work: Callable[[Connection], Result]) -> Result:
        return self._database.change(Once(work))

    def _change_with(self, advice: Advice | None, work: Callable[[Connection], Result]) -> Result:
        """Return what the work returns; the advice is written last, in the same transaction."""

        def both(connection: Connection) -> Result:
            result = work(connection)
            if advice is not None:
                write_advice(connection, advice)
            return result

        return self._change(both)

    # -- studies ---------------------------------------------------------------------------------------------------
    def add_study(
        self, name: str, definition: Mapping[str, Any], objectives: Sequence[tuple[str, Direction]]
    ) -> StudyEntry:
        return self._change(lambda connection: studies.add_study(connection, name, definition, objectives))

    def latest_study(self, name: str) -> StudyEntry | None:
        return self._database.ask(lambda connection: studies.latest_study(connection, name))

    def studies(self) -> tuple[StudyEntry, ...]:
        return self._database.ask(lambda connection: studies.studies(connection))

    def freeze(self, study: StudyEntry, facts: Mapping[str, Any]) -> StudyEntry:
        return self._change(lambda connection: studies.freeze(connection, study, facts))

    # -- workers ---------------------------------------------------------------------------------------------------
    def join(
        self, study: tuple[str, int], run: WorkerId, workers: int, is_alive: Callable[[WorkerId], bool | None]
    ) -> tuple[int, ...]:
        known = self._database.ask(lambda connection: studies.runs(connection, study))
        dead = [each for each in known if is_alive(each) is False]  # asks the system: outside of any transaction
        return self._change(lambda connection: studies.join(connection, study, run, workers, dead))

    def leave(self, study: tuple[str, int], run: WorkerId) -> None:
        with self._database.patience.at_most(RELEASE_TIMEOUT_S):
            self._change(lambda connection: studies.leave(connection, study, run))

    def note_run(self, entry: RunEntry) -> None:
        """See `RunRegister`."""
        self._change(lambda connection: run_table.note_run(connection, entry))

    def runs(self, study: str, generation: int) -> tuple[StoredRun, ...]:
        """See `RunRegister`."""
        return self._database.ask(lambda connection: run_table.stored_runs(connection, study, generation))

    # -- attempts --------------------------------------------------------------------------------------------------
    def reserve(self, study: StudyEntry, worker: WorkerId, limit: int) -> Attempt | None:
        return self._change(lambda connection: attempts.reserve(connection, study, worker, limit))

    def assign(
        self, attempt: Attempt, number: int, params: Mapping[str, ParamValue], advice: Advice | None = None
    ) -> Attempt:
        return self._change_with(advice, lambda connection: attempts.assign(connection, attempt, number, params))

    def claim_identity(self, attempt: Attempt, identity: str) -> str | None:
        return self._change(lambda connection: attempts.claim_identity(connection, attempt, identity))

    def heartbeat(self, attempt: Attempt) -> None:
        self._change(lambda connection: attempts.heartbeat(connection, attempt))

    def release(self, attempt: Attempt) -> None:
        with self._database.patience.at_most(RELEASE_TIMEOUT_S):
            self._change(lambda connection: attempts.release(connection, attempt))

    def reconcile(
        self, study: StudyEntry, is_alive: Callable[[WorkerId], bool | None], stale_after_s: float
    ) -> tuple[int, ...]:
        running = self._database.ask(lambda connection: attempts.running(connection, study))
        since_return = self._database.patience.seconds_since_return
        if since_return is not None and since_return < stale_after_s:
            stale_after_s = math.inf  # without a database nobody could send a heartbeat
        dead = attempts.dead(running, is_alive, stale_after_s)  # asks the system: outside of any transaction
        if not dead:
            return ()
        return self._change(lambda connection: attempts.make_wait(connection, study, dead))

    def note_death(self, study: StudyEntry, number: int, cause: str) -> None:
        self._change(lambda connection: attempts.note_death(connection, study, number, cause))

    def open_attempts(self, study: StudyEntry) -> tuple[OpenAttempt, ...]:
        return self._database.ask(lambda connection: attempts.open_attempts(connection, study))

    def report(self, attempt: Attempt, result: EpochResult) -> None:
        self._change(lambda connection: attempts.report(connection, attempt, result))

    # -- records ---------------------------------------------------------------------------------------------------
    def add(
        self, study: StudyEntry, record: TrialRecord, attempt: Attempt | None, advice: Advice | None = None
    ) -> FrontEntry | None:
        return self._change_with(advice, lambda connection: records.add_record(connection, study, record, attempt))

    def records(
        self, study: StudyEntry, *, curves: bool = False, after: int = 0, names: Sequence[str] | None = None
    ) -> tuple[TrialRecord, ...]:
        return self._database.ask(
            lambda connection: records.records_after(connection, study.id, after, curves=curves, names=names)
        )

    def counted(self, study: StudyEntry) -> int:
        return self._database.ask(lambda connection: attempts.counted(connection, study.id))

    def last_number(self, study: StudyEntry) -> int | None:
        return self._database.ask(lambda connection: attempts.last_number(connection, study.id))

    def fronts(self, study: StudyEntry) -> tuple[FrontEntry, ...]:
        return self._database.ask(lambda connection: fronts.entries(connection, FrontRow.study_id == study.id))

    # -- trained networks, targets, latencies ----------------------------------------------------------------------
    def find_trained(self, key: str) -> TrainedEntry | None:
        return self._database.ask(
            lambda connection: next(iter(reusable.trained(connection, TrainedRow.key == key)), None)
        )

    def add_trained(self, entry: TrainedEntry) -> TrainedEntry:
        return self._change(lambda connection: reusable.add_trained(connection, entry))

    def add_target(self, entry: TargetEntry) -> TargetEntry:
        return self._change(lambda connection: reusable.add_target(connection, entry))

    def target(self, key: str) -> TargetEntry | None:
        return self._database.ask(lambda connection: reusable.target(connection, key))

    def targets(self) -> tuple[TargetEntry, ...]:
        return self._database.ask(lambda connection: reusable.targets(connection))

    def add_latency(self, entry: LatencyEntry) -> None:
        self._change(lambda connection: reusable.add_latency(connection, entry))

    def latency(self, shape_key: str, target_key: str) -> LatencyEntry | None:
        return self._database.ask(lambda connection: reusable.latency(connection, shape_key, target_key))

    def latencies(self, target_key: str, *, blocks: bool = False) -> tuple[LatencyEntry, ...]:
        return self._database.ask(lambda connection: reusable.latencies(connection, target_key, blocks=blocks))

    def latency_count(self, target_key: str) -> int:
        return self._database.ask(lambda connection: reusable.latency_count(connection, target_key))

    # -- finalists -------------------------------------------------------------------------------------------------
    def add_confirmation(self, study: StudyEntry, confirmation: Confirmation) -> Confirmation:
        return self._change(lambda connection: fronts.add_confirmation(connection, study, confirmation))

    def confirmations(self, study: StudyEntry) -> tuple[Confirmation, ...]:
        return self._database.ask(
            lambda connection: fronts.confirmations(connection, ConfirmationRow.study_id == study.id)
        )

    # -- the whole -------------------------------------------------------------------------------------------------
    def waiting_at_most(self, seconds: float) -> AbstractContextManager[None]:
        return self._database.patience.at_most(seconds)

    def exclusive(self, name: str) -> AbstractContextManager[None]:
        return self._database.exclusive(name)

    def exclusive_if_free(self, name: str) -> AbstractContextManager[bool]:
        return self._database.exclusive_if_free(name)

    def close(self) -> None:
        self._database.close()
