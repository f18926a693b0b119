"""Contract of the database. Our records are the truth; Optuna's tables beside them are advice.

Every method is one transaction, safe against `kill -9` at any moment and against other workers. Times are the
database's own. A database that is away is waited for: each method is made again until the time is up, and is made once
even if the answer to its commit was lost.

Errors::

    StoreError                 base; its message is one line for the user, with passwords masked
    |-- StoreUnavailable       disk full, read-only folder, server gone: nothing is lost, the same command continues
    |-- Fenced                 another worker has claimed this attempt; the caller must drop its work
    `-- AlreadyStored          a record of that study and number, or name, exists already
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from objectives.base import Direction, EpochResult
from search.record.confirmation import Confirmation
from search.record.trial import TrialRecord
from search.store.entries import FrontEntry, LatencyEntry, TargetEntry, TrainedEntry
from search.store.runs.register import RunRegister
from search.store.sampling.advice import Advice
from spaces.base import ParamValue


class StoreError(Exception):
    """Fault of the database or its folder; the message is one line for the user."""


class StoreUnavailable(StoreError):
    """Database that cannot be reached or written. Nothing is lost; the same command continues."""


class Fenced(StoreError):
    """Attempt whose token is no longer valid: another worker has claimed the trial."""


class AlreadyStored(StoreError):
    """Record that exists already."""


@dataclass(frozen=True)
class WorkerId:
    """Process that works on trials: enough to tell from the same host whether it still lives."""

    host: str  # hostname, boot and pid namespace: equal only where pids mean the same
    pid: int
    started: float  # the process's creation time in seconds since the epoch, against reused pids


@dataclass(frozen=True)
class StudyEntry:
    """Study as it is stored.

    Attributes:
        name: The study's name; `generation` counts from 1 and grows with every `--new`.
        definition: Definition as plain values (JSON); a run may continue if it is equal.
        objectives: Names and directions, in the order of the values that the sampler gets.
        frozen: Facts settled at the start, each written once: `parent`, `donors`, `reference_point`, ...
    """

    id: int
    name: str
    generation: int
    definition: Mapping[str, Any]
    objectives: tuple[tuple[str, Direction], ...]
    frozen: Mapping[str, Any]
    created: datetime

    @property
    def sampler_name(self) -> str:
        """Name of the sampler's own study under the same URL."""
        return self.name if self.generation == 1 else f"{self.name}-{self.generation}"


@dataclass(frozen=True)
class Attempt:
    """Right to work on one trial. The token excludes earlier holders.

    Attributes:
        number: The trial's number; None until `assign`.
        tries: Number of times that the trial was begun, this one included; grows if a worker dies, not at a release.
        deaths: Causes of its workers' deaths, oldest first, as far as they are known.
    """

    id: int
    study_id: int
    token: str
    number: int | None = None
    tries: int = 1
    params: Mapping[str, ParamValue] | None = None  # until `assign`
    deaths: tuple[str, ...] = ()


@dataclass(frozen=True)
class OpenAttempt:
    """Attempt not finished. `worker` is None while it waits to be claimed again, `params` until it is assigned."""

    number: int | None
    worker: WorkerId | None
    tries: int
    heartbeat_age_s: float
    heartbeat: datetime  # the last one, by the database's clock, as is its age
    params: Mapping[str, ParamValue] | None = None


class Store(RunRegister):
    """Records of studies. Append-only and ordered: `records` returns them as they were added."""

    # -- studies ---------------------------------------------------------------------------------------------------
    @abstractmethod
    def add_study(
        self, name: str, definition: Mapping[str, Any], objectives: Sequence[tuple[str, Direction]]
    ) -> StudyEntry:
        """Store a new study; its generation is one above the latest of that name."""

    @abstractmethod
    def latest_study(self, name: str) -> StudyEntry | None:
        """Return the newest generation of a study, with what is frozen by now."""

    @abstractmethod
    def studies(self) -> tuple[StudyEntry, ...]:
        """Return all studies, oldest first."""

    @abstractmethod
    def freeze(self, study: StudyEntry, facts: Mapping[str, Any]) -> StudyEntry:
        """Write facts (JSON values) once; the first writer wins, and everybody gets what is stored."""

    # -- workers ---------------------------------------------------------------------------------------------------
    @abstractmethod
    def join(
        self, study: tuple[str, int], run: WorkerId, workers: int, is_alive: Callable[[WorkerId], bool | None]
    ) -> tuple[int, ...]:
        """Give the workers of a run the smallest numbers that no other worker of the study has, on any machine.

        Args:
            study: Name and generation of the study, which need not be stored yet.
            run: Process that starts the workers, one after the other if they die.
            is_alive: As in `reconcile`; the numbers of dead runs are free.
        """

    @abstractmethod
    def leave(self, study: tuple[str, int], run: WorkerId) -> None:
        """Free the numbers of a run's workers."""

    # -- attempts --------------------------------------------------------------------------------------------------
    @abstractmethod
    def reserve(self, study: StudyEntry, worker: WorkerId, limit: int) -> Attempt | None:
        """Claim a waiting attempt, else open a new one while counted + open trials < `limit`; else None."""

    @abstractmethod
    def assign(
        self, attempt: Attempt, number: int, params: Mapping[str, ParamValue], advice: Advice | None = None
    ) -> Attempt:
        """Give a new attempt its trial number and parameters; `advice` is written in the same transaction.

        Raises:
            Fenced: If the attempt was taken away meanwhile.
            AlreadyStored: If that number is already assigned in this study.
        """

    @abstractmethod
    def claim_identity(self, attempt: Attempt, identity: str) -> str | None:
        """Claim an identity for this attempt; the name of the trial or row that has it already, else None.

        A claim made by this attempt before (in an earlier try) is its own. Raises `Fenced` if it was taken away.
        """

    @abstractmethod
    def heartbeat(self, attempt: Attempt) -> None:
        """Record that the worker lives. Raises `Fenced` if another worker has claimed the attempt."""

    @abstractmethod
    def release(self, attempt: Attempt) -> None:
        """Release the attempt, so that the next `reserve` claims it. Does nothing if it was taken away."""

    @abstractmethod
    def note_death(self, study: StudyEntry, number: int, cause: str) -> None:
        """Store what a worker of an open trial died of. Does nothing if the trial is finished."""

    @abstractmethod
    def reconcile(
        self, study: StudyEntry, is_alive: Callable[[WorkerId], bool | None], stale_after_s: float
    ) -> tuple[int, ...]:
        """Make attempts of dead workers wait for a new one; idempotent. Return the numbers of those that wait now.

        A worker is dead if `is_alive` returns False, or None (unknown: another host) while its last
        heartbeat is older than `stale_after_s`. An unassigned attempt of a dead worker is removed.
        """

    @abstractmethod
    def open_attempts(self, study: StudyEntry) -> tuple[OpenAttempt, ...]:
        """Return attempts not finished: running, waiting, or not yet assigned."""

    @abstractmethod
    def report(self, attempt: Attempt, result: EpochResult) -> None:
        """Store one point of the learning curve; the same epoch again (a later try) replaces it. Raises `Fenced`."""

    # -- records ---------------------------------------------------------------------------------------------------
    @abstractmethod
    def add(
        self, study: StudyEntry, record: TrialRecord, attempt: Attempt | None, advice: Advice | None = None
    ) -> FrontEntry | None:
        """Store a finished trial with advice, close its attempt and move the front, all in one transaction.

        `attempt` is the one that it ends; None for a reference row. Returns the new front if this record changed it.

        Raises:
            Fenced: If the attempt was taken away; nothing is stored.
            AlreadyStored: If the trial number or the reference row's name is stored already.
        """

    @abstractmethod
    def records(
        self, study: StudyEntry, *, curves: bool = False, after: int = 0, names: Sequence[str] | None = None
    ) -> tuple[TrialRecord, ...]:
        """Return the records after the first `after`, or those named, as they were added; `curves` loads curves too."""

    @abstractmethod
    def counted(self, study: StudyEntry) -> int:
        """Return the number of stored trials without duplicates and reference rows."""

    @abstractmethod
    def last_number(self, study: StudyEntry) -> int | None:
        """Return the greatest number of a stored trial."""

    @abstractmethod
    def fronts(self, study: StudyEntry) -> tuple[FrontEntry, ...]:
        """Return the front after each change, oldest first."""

    # -- trained networks, targets, latencies ----------------------------------------------------------------------
    @abstractmethod
    def find_trained(self, key: str) -> TrainedEntry | None:
        """Return a parent or donor by the key of what made it."""

    @abstractmethod
    def add_trained(self, entry: TrainedEntry) -> TrainedEntry:
        """Store it; the first writer wins, and everybody gets what is stored."""

    @abstractmethod
    def add_target(self, entry: TargetEntry) -> TargetEntry:
        """Freeze a target's reference latency; the first writer wins, and everybody gets what is stored."""

    @abstractmethod
    def target(self, key: str) -> TargetEntry | None:
        """Return a target with its frozen reference."""

    @abstractmethod
    def targets(self) -> tuple[TargetEntry, ...]:
        """Return all targets, oldest first."""

    @abstractmethod
    def add_latency(self, entry: LatencyEntry) -> None:
        """Store a latency with its raw samples. Append-only."""

    @abstractmethod
    def latency(self, shape_key: str, target_key: str) -> LatencyEntry | None:
        """Return the valid latency: the newest uncontended one, else the newest measured. Never a predicted one."""

    @abstractmethod
    def latencies(self, target_key: str, *, blocks: bool = False) -> tuple[LatencyEntry, ...]:
        """Return all latencies on a target, predicted ones too, oldest first; `blocks` loads the raw times as well."""

    @abstractmethod
    def latency_count(self, target_key: str) -> int:
        """Return the number of `latencies`: it only grows."""

    # -- finalists -------------------------------------------------------------------------------------------------
    @abstractmethod
    def add_confirmation(self, study: StudyEntry, confirmation: Confirmation) -> Confirmation:
        """Store a confirmation of finalists; returns it with its number and time. `StoreError` if one is no record."""

    @abstractmethod
    def confirmations(self, study: StudyEntry) -> tuple[Confirmation, ...]:
        """Return all confirmations of the study, oldest first; the newest counts."""

    @abstractmethod
    def waiting_at_most(self, seconds: float) -> AbstractContextManager[None]:
        """Let the calls of this thread wait no longer for a database that is away within the block."""

    @abstractmethod
    def exclusive(self, name: str) -> AbstractContextManager[None]:
        """Hold a named lock among all workers of this database; freed when the holder dies."""

    @abstractmethod
    def exclusive_if_free(self, name: str) -> AbstractContextManager[bool]:
        """Hold the lock of `exclusive`, unless another one holds it now; says whether it is held."""

    @abstractmethod
    def close(self) -> None:
        """Release connections. The store cannot be used afterwards."""
