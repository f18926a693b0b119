"""Plain values about submitted jobs: what was submitted, and what the batch system says of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Submission:
    """Jobs that were handed in together.

    Attributes:
        system: Name of the batch system.
        number: The batch system's number for them.
        tasks: Number of jobs.
        name: Name of the jobs.
        folder: Folder from which they were submitted: their logs are there.
    """

    system: str
    number: str
    tasks: int
    name: str
    folder: str


@dataclass(frozen=True, kw_only=True)
class QueuedJob:
    """A job as its batch system sees it.

    Attributes:
        system: Name of the batch system.
        job: Its name: `41`, or `41_2` for the second of several.
        state: The batch system's word: `PENDING`, `RUNNING`, ...
        has_ended: True if it does not run or wait any more.
        node: Machine that it runs or ran on; empty while it waits.
        reason: Reason why it waits or ended; empty if the batch system knows none.
        restarts: Number of times that it was begun again.
        gpu_hours: GPU-hours of all its starts, where the batch system keeps accounts; else None.
    """

    system: str
    job: str
    state: str
    has_ended: bool
    node: str = ""
    reason: str = ""
    restarts: int = 0
    gpu_hours: float | None = None


@dataclass(frozen=True, kw_only=True)
class OwnJob:
    """The job that this process belongs to.

    Attributes:
        system: Name of the batch system.
        job: Its name, as in `QueuedJob`.
        restarts: Number of times that it was begun before.
        node: Name of this machine in the batch system.
    """

    system: str
    job: str
    restarts: int
    node: str
