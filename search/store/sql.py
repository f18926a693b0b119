# ruff: noqa: D102 (the contract in search/store/base.py says what each method promises)
"""Store on SQLite and PostgreSQL. Transactions begin and end here; the statements are in the files beside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, final

from objectives.base import Direction, EpochResult
from search.record.confirmation import Confirmation
from search.record.trial import TrialRecord
from search.store import attempts, fronts, records, reusable, studies
from search.store.base import (
    Attempt,
    FrontEntry,
    OpenAttempt,
    Store,
    StudyEntry,
    WorkerId,
)
from search.store.database import Database
from search.store.entries import LatencyEntry, TargetEntry, TrainedEntry
from search.store.latency_models import ConfirmationRow
from search.store.migrations import migrate
from search.store.models import FrontRow, TrainedRow
from search.store.url import parse
from spaces.base import ParamValue

RELEASE_TIMEOUT_S = 2.0  # an interrupted worker has 10 s in all


def open_store(url: str) -> Store:
    """Open a database; create and migrate our tables first where needed, once among all workers.

    Args:
        url: `sqlite:///folder/file.db` (the folder is made), `sqlite://` (in memory, gone with this process) or
            `postgresql+psycopg://user:password@host/database`.

    Raises:
        StoreUnavailable: If it cannot be reached, opened or written.
        StoreError: If the URL is not understood, or the schema is newer than this code.
    """
    database = Database(parse(url))
    try:
        database.prepare()
        with database.read() as connection:
            current = migrate.version(connection) == migrate.HEAD
        if not current:
            with database.exclusive("schema"), database.write() as connection:
                migrate.upgrade(connection)
    except BaseException:
        database.close()
        raise
    return SqlStore(database)


@final
class SqlStore(Store):
    """Methods of the contract, one transaction each."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- studies ---------------------------------------------------------------------------------------------------
    def add_study(
        self, name: str, definition: Mapping[str, Any], objectives: Sequence[tuple[str, Direction]]
    ) -> StudyEntry:
        with self._database.write() as connection:
            return studies.add_study(connection, name, definition, objectives)

    def latest_study(self, name: str) -> StudyEntry | None:
        with self._database.read() as connection:
            return studies.latest_study(connection, name)

    def studies(self) -> tuple[StudyEntry, ...]:
        with self._database.read() as connection:
            return studies.studies(connection)

    def freeze(self, study: StudyEntry, facts: Mapping[str, Any]) -> StudyEntry:
        with self._database.write() as connection:
            return studies.freeze(connection, study, facts)

    # -- attempts --------------------------------------------------------------------------------------------------
    def reserve(self, study: StudyEntry, worker: WorkerId, limit: int) -> Attempt | None:
        with self._database.write() as connection:
            return attempts.reserve(connection, study, worker, limit)

    def assign(self, attempt: Attempt, number: int, params: Mapping[str, ParamValue]) -> Attempt:
        with self._database.write() as connection:
            return attempts.assign(connection, attempt, number, params)

    def claim_identity(self, attempt: Attempt, identity: str) -> str | None:
        with self._database.write() as connection:
            return attempts.claim_identity(connection, attempt, identity)

    def heartbeat(self, attempt: Attempt) -> None:
        with self._database.write() as connection:
            attempts.heartbeat(connection, attempt)

    def release(self, attempt: Attempt) -> None:
        with self._database.write(patience_s=RELEASE_TIMEOUT_S) as connection:
            attempts.release(connection, attempt)

    def reconcile(
        self, study: StudyEntry, is_alive: Callable[[WorkerId], bool | None], stale_after_s: float
    ) -> tuple[int, ...]:
        with self._database.read() as connection:
            running = attempts.running(connection, study)
        dead = attempts.dead(running, is_alive, stale_after_s)  # asks the system: outside of any transaction
        if not dead:
            return ()
        with self._database.write() as connection:
            return attempts.make_wait(connection, study, dead)

    def open_attempts(self, study: StudyEntry) -> tuple[OpenAttempt, ...]:
        with self._database.read() as connection:
            return attempts.open_attempts(connection, study)

    def report(self, attempt: Attempt, result: EpochResult) -> None:
        with self._database.write() as connection:
            attempts.report(connection, attempt, result)

    # -- records ---------------------------------------------------------------------------------------------------
    def add(self, study: StudyEntry, record: TrialRecord, attempt: Attempt | None) -> FrontEntry | None:
        with self._database.write() as connection:
            return records.add_record(connection, study, record, attempt)

    def records(self, study: StudyEntry, *, curves: bool = False, after: int = 0) -> tuple[TrialRecord, ...]:
        with self._database.read() as connection:
            return records.records_after(connection, study.id, after, curves=curves)

    def counted(self, study: StudyEntry) -> int:
        with self._database.read() as connection:
            return attempts.counted(connection, study.id)

    def fronts(self, study: StudyEntry) -> tuple[FrontEntry, ...]:
        with self._database.read() as connection:
            return fronts.entries(connection, FrontRow.study_id == study.id)

    # -- trained networks, targets, latencies ----------------------------------------------------------------------
    def find_trained(self, key: str) -> TrainedEntry | None:
        with self._database.read() as connection:
            return next(iter(reusable.trained(connection, TrainedRow.key == key)), None)

    def add_trained(self, entry: TrainedEntry) -> TrainedEntry:
        with self._database.write() as connection:
            return reusable.add_trained(connection, entry)

    def add_target(self, entry: TargetEntry) -> TargetEntry:
        with self._database.write() as connection:
            return reusable.add_target(connection, entry)

    def target(self, key: str) -> TargetEntry | None:
        with self._database.read() as connection:
            return reusable.target(connection, key)

    def targets(self) -> tuple[TargetEntry, ...]:
        with self._database.read() as connection:
            return reusable.targets(connection)

    def add_latency(self, entry: LatencyEntry) -> None:
        with self._database.write() as connection:
            reusable.add_latency(connection, entry)

    def latency(self, shape_key: str, target_key: str) -> LatencyEntry | None:
        with self._database.read() as connection:
            return reusable.latency(connection, shape_key, target_key)

    def latencies(self, target_key: str, *, blocks: bool = False) -> tuple[LatencyEntry, ...]:
        with self._database.read() as connection:
            return reusable.latencies(connection, target_key, blocks=blocks)

    def latency_count(self, target_key: str) -> int:
        with self._database.read() as connection:
            return reusable.latency_count(connection, target_key)

    # -- finalists -------------------------------------------------------------------------------------------------
    def add_confirmation(self, study: StudyEntry, confirmation: Confirmation) -> Confirmation:
        with self._database.write() as connection:
            return fronts.add_confirmation(connection, study, confirmation)

    def confirmations(self, study: StudyEntry) -> tuple[Confirmation, ...]:
        with self._database.read() as connection:
            return fronts.confirmations(connection, ConfirmationRow.study_id == study.id)

    # -- the whole -------------------------------------------------------------------------------------------------
    def exclusive(self, name: str) -> AbstractContextManager[None]:
        return self._database.exclusive(name)

    def close(self) -> None:
        self._database.close()
