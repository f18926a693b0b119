"""Events of a run: what a worker process tells its supervisor. Plain values, sent through a pipe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from search.record.trial import TrialRecord


@dataclass(frozen=True)
class Activity:
    """The present activity of the worker: `trial 7: training`, `training round-2`.

    Attributes:
        trial: Number of the trial that it belongs to.
    """

    what: str
    trial: int | None = None


@dataclass(frozen=True)
class BatchDone:
    """A training batch is done. Epochs and batches count from 1."""

    epoch: int
    epochs: int
    batch: int
    batches: int


@dataclass(frozen=True)
class Note:
    """A line that the user should see and keep."""

    line: str


@dataclass(frozen=True)
class RecordStored:
    """The record of a trial or of a reference row is stored.

    Attributes:
        moved_front: Whether it changed the Pareto front.
    """

    record: TrialRecord
    moved_front: bool


@dataclass(frozen=True)
class DatabaseLost:
    """The database does not answer, and the worker waits for it. The line is for the user."""

    line: str


@dataclass(frozen=True)
class DatabaseBack:
    """The database answers again. The line is for the user."""

    line: str


@dataclass(frozen=True)
class WorkerEnded:
    """The worker has nothing more to do.

    Attributes:
        why: `done`, `left`, `timeout`, `exhausted`, `renew`, `interrupted`, or `error`.
        error: One line for the user if `why` is `error`.
        seconds: Wall seconds by phase spent outside of trials.
    """

    why: str
    error: str = ""
    exit_code: int = 0
    seconds: dict[str, float] = field(default_factory=dict)


Event = Activity | BatchDone | Note | RecordStored | DatabaseLost | DatabaseBack | WorkerEnded
"""Everything that a worker tells."""

Say = Callable[[Event], None]
"""Receives the events of a worker, or of a command that does the same work without one."""


def say_nothing(event: Event) -> None:
    """Drop an event."""


def as_lines(show_line: Callable[[str], None]) -> Say:
    """Return a receiver that forwards activities and notes as lines, and drops all other events."""

    def forward(event: Event) -> None:
        if isinstance(event, Activity):
            show_line(event.what)
        elif isinstance(event, Note | DatabaseLost | DatabaseBack):
            show_line(event.line)

    return forward
