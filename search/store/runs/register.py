"""Contract of the register of runs: one entry for each run of a study, renewed while it works."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

HOUR_S = 3600.0


@dataclass(frozen=True, kw_only=True)
class RunEntry:
    """One run of a study, as it describes itself.

    Attributes:
        study: Name of the study.
        generation: Its generation.
        host: Host, boot and pid namespace of the run's process.
        pid: Number of the process.
        started: Its start, in the unit of `WorkerId`.
        system: Name of the batch system that started it; empty if none did.
        job: The batch system's name for its job, such as `41_2`; empty without a batch system.
        restarts: Number of times that this job was begun before.
        node: Name of the machine.
        device: GPUs that the run sees, as CUDA names them; `cpu` if it uses none.
        gpus: Number of GPUs that are reserved for the run.
        gpu_hours: GPU-hours after which the study begins no further trial; None for no limit.
        doing: For each worker its present activity.
        progress_s: Seconds since the last sign of progress of any worker.
        why: Reason why the run ended; empty while it works.
    """

    study: str
    generation: int
    host: str
    pid: int
    started: float
    system: str = ""
    job: str = ""
    restarts: int = 0
    node: str = ""
    device: str = "cpu"
    gpus: int = 0
    gpu_hours: float | None = None
    doing: tuple[str, ...] = ()
    progress_s: float = 0.0
    why: str = ""


@dataclass(frozen=True)
class StoredRun:
    """A run as it is stored.

    Attributes:
        began: Time of its first entry, by the database's clock.
        seconds: Seconds between its first entry and its last one.
        age_s: Seconds since its last entry.
    """

    entry: RunEntry
    began: datetime
    seconds: float
    age_s: float

    @property
    def gpu_hours(self) -> float:
        """GPU-hours that were reserved for the run, up to its last entry."""
        return self.entry.gpus * self.seconds / HOUR_S


class RunRegister(ABC):
    """Register of the runs of all studies."""

    @abstractmethod
    def note_run(self, entry: RunEntry) -> None:
        """Store the entry of a run, in place of its earlier one."""

    @abstractmethod
    def runs(self, study: str, generation: int) -> tuple[StoredRun, ...]:
        """Return the runs of a study, oldest first."""


def gpu_hours_of(runs: Sequence[StoredRun]) -> float:
    """Return the GPU-hours that were reserved for these runs together."""
    return sum(run.gpu_hours for run in runs)
