"""Display of the workers' progress: a live panel on a terminal, plain lines in a log."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from search.findings.notes import outcome_line
from search.record.events import Activity, BatchDone, DatabaseBack, DatabaseLost, Event, Note, RecordStored
from search.record.trial import Outcome

LINE_EVERY_S = 20.0
"""Seconds between two lines about a worker's training in a log."""


class Progress:
    """Display of the workers' events; a context manager.

    Args:
        objectives: Names of the study's objectives, shown with each ended trial.
        n_trials: Number of trials that are asked for; None if a budget ends the study.
        counted: Number of them that were done before.
        clock: Returns seconds that never go back.
    """

    def __init__(
        self,
        console: Console,
        objectives: tuple[str, ...],
        n_trials: int | None,
        counted: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console, self._objectives = console, objectives
        self._n_trials, self._counted = n_trials, counted
        self._clock, self._begun = clock, clock()
        self._doing: dict[int, str] = {}
        self._batch: dict[int, BatchDone] = {}
        self._shown_at: dict[int, float] = {}
        self._without_database: set[int] = set()
        self._live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None

    def __enter__(self) -> Progress:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, worker: int, event: Event) -> None:
        """Show one event of one worker."""
        if isinstance(event, Activity):
            self._doing[worker] = event.what
            self._batch.pop(worker, None)
            if self._live is None and not event.what.startswith("trial"):
                self._line(f"worker {worker}: {event.what}")
        elif isinstance(event, BatchDone):
            self._batch[worker] = event
            self._show_batch(worker, event)
        elif isinstance(event, Note):
            self._line(event.line)
        elif isinstance(event, RecordStored):
            self._ended(event)
        elif isinstance(event, DatabaseLost):
            if not self._without_database:
                self._line(event.line)
            self._without_database.add(worker)
        elif isinstance(event, DatabaseBack):
            self._without_database.discard(worker)
            if not self._without_database:
                self._line(event.line)
        if self._live is not None:
            self._live.update(self._panel())

    def _ended(self, event: RecordStored) -> None:
        record = event.record
        if not record.is_reference and record.outcome is not Outcome.DUPLICATE:
            self._counted += 1
        moved = "; the front moved" if event.moved_front else ""
        self._line(f"{outcome_line(record, self._objectives)}{moved}")

    def _show_batch(self, worker: int, batch: BatchDone) -> None:
        now = self._clock()
        if self._live is None and now - self._shown_at.setdefault(worker, now) >= LINE_EVERY_S:
            self._shown_at[worker] = now
            self._line(f"worker {worker}: {self._doing.get(worker, '')}, {_where(batch)}")

    def _line(self, text: str) -> None:
        minutes, seconds = divmod(int(self._clock() - self._begun), 60)
        self._console.print(f"{minutes:3d}:{seconds:02d}  {text}", highlight=False, markup=False, soft_wrap=True)

    def _panel(self) -> Group:
        table = Table.grid(padding=(0, 2))
        for worker in sorted(self._doing):
            batch = self._batch.get(worker)
            bar: ProgressBar | str = ""
            where = ""
            if batch is not None:
                done = (batch.epoch - 1) * batch.batches + batch.batch
                bar = ProgressBar(total=batch.epochs * batch.batches, completed=done, width=24)
                where = _where(batch)
            table.add_row(f"worker {worker}", self._doing[worker], bar, where)
        if self._n_trials is None:
            table.add_row("study", f"{self._counted} trials", "", "")
        else:
            total = ProgressBar(total=max(1, self._n_trials), completed=self._counted, width=24)
            table.add_row("study", f"{self._counted} of {self._n_trials} trials", total, "")
        return Group(Text(""), table)


def _where(batch: BatchDone) -> str:
    return f"epoch {batch.epoch} of {batch.epochs}"
