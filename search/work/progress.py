"""Display of the workers' progress: a live panel on a terminal, plain lines in a log."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from search.findings.notes import outcome_line
from search.record.events import Activity, BatchDone, DatabaseBack, DatabaseLost, Event, Note, RecordStored
from search.record.number_text import duration, figure_text
from search.record.trial import Outcome
from search.record.words import NOW_ON_FRONT
from search.study.definition import BETTER
from spaces.command_line import Verbosity

LINE_EVERY_S = 20.0
"""Seconds between two lines about a worker's training in a log."""
LINE_WIDTH = 200
"""Maximum number of characters of a line; longer text goes on below, indented."""
BAR = 24
"""Width of a bar in characters."""


@dataclass(frozen=True)
class StudyProgress:
    """Facts about the study that the display shows.

    Attributes:
        objectives: Names of the study's objectives, shown with each ended trial.
        n_trials: Number of trials that are asked for; None if a budget ends the study.
        counted: Number of them that were done before.
        verbosity: Amount that is said.
    """

    objectives: tuple[str, ...]
    n_trials: int | None
    counted: int
    verbosity: Verbosity = Verbosity.NORMAL


class Progress:
    """Display of the workers' events; a context manager.

    Args:
        clock: Returns seconds that never go back.
        now: Returns the time of day, which begins each line.
    """

    def __init__(
        self,
        console: Console,
        study: StudyProgress,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        self.study, self.counted = study, study.counted
        self._console, self._clock, self._now, self._begun = console, clock, now, clock()
        self._doing: dict[int, str] = {}
        self._batch: dict[int, BatchDone] = {}
        self._shown_at: dict[int, float] = {}
        self._without_database: set[int] = set()
        self._first_trial_at: float | None = None
        self._best: float | None = None
        live = console.is_terminal and study.verbosity > Verbosity.QUIET
        self._live = Live(console=console, refresh_per_second=4, transient=True) if live else None

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
            self._begin(worker, event)
        elif isinstance(event, BatchDone):
            self._show_batch(worker, event)
        elif isinstance(event, Note):
            self._line(event.line)
        elif isinstance(event, RecordStored):
            self.count(event)
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

    def count(self, event: RecordStored) -> None:
        """Count a trial, and remember the best value of the first objective."""
        record = event.record
        if not record.is_reference and record.outcome is not Outcome.DUPLICATE:
            self.counted += 1
        value = record.value(self.study.objectives[0]) if self.study.objectives else None
        if value is not None and record.outcome is Outcome.COMPLETE and not record.is_reference:
            better = max if BETTER[self.study.objectives[0]] == "maximize" else min
            self._best = value if self._best is None else better(self._best, value)

    def _begin(self, worker: int, event: Activity) -> None:
        self._doing[worker] = event.what
        self._batch.pop(worker, None)
        if event.trial is not None and self._first_trial_at is None:
            self._first_trial_at = self._clock()
        is_step_of_trial = event.what.startswith("trial")
        if self._live is None and (not is_step_of_trial or self.study.verbosity > Verbosity.NORMAL):
            self._line(f"worker {worker}: {event.what}")

    def _ended(self, event: RecordStored) -> None:
        record = event.record
        of = "" if self.study.n_trials is None else f" of {self.study.n_trials}"
        counts = not record.is_reference and record.outcome is not Outcome.DUPLICATE
        place = f" ({self.counted}{of})" if counts else ""
        moved = f"; {NOW_ON_FRONT}" if event.moved_front else ""
        self._line(f"{outcome_line(record, self.study.objectives)}{place}{moved}")

    def _show_batch(self, worker: int, batch: BatchDone) -> None:
        before, now = self._batch.get(worker), self._clock()
        self._batch[worker] = batch
        if self._live is not None:
            return
        begins = self.study.verbosity > Verbosity.NORMAL and (before is None or before.epoch != batch.epoch)
        if begins or now - self._shown_at.setdefault(worker, now) >= LINE_EVERY_S:
            self._shown_at[worker] = now
            where = f"{_where(batch)}, batch {batch.batch} of {batch.batches}"
            self._line(f"worker {worker}: {self._doing.get(worker, '')}, {where}")

    def _line(self, text: str) -> None:
        if self.study.verbosity == Verbosity.QUIET:
            return
        minutes, seconds = divmod(int(self._clock() - self._begun), 60)
        begin = f"{self._now():%H:%M:%S} {minutes:4d}:{seconds:02d}  "
        for line in folded(f"{begin}{text}", len(begin)):
            self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _panel(self) -> Group:
        table = Table.grid(padding=(0, 2))
        for worker in sorted(self._doing):
            batch = self._batch.get(worker)
            bar: ProgressBar | str = ""
            where = ""
            if batch is not None:
                done = (batch.epoch - 1) * batch.batches + batch.batch
                bar = ProgressBar(total=batch.epochs * batch.batches, completed=done, width=BAR)
                where = _where(batch)
            table.add_row(f"worker {worker}", Text(self._doing[worker]), bar, where)
        n_trials, times = self.study.n_trials, self._times()
        if n_trials is None:
            table.add_row("study", f"{self.counted} trials", "", times)
        else:
            total = ProgressBar(total=max(1, n_trials), completed=self.counted, width=BAR)
            table.add_row("study", f"{self.counted} of {n_trials} trials", total, times)
        return Group(Text(""), table)

    def _times(self) -> str:
        """Return the time since the start, the time left as far as it is known, and the best value so far."""
        now, done = self._clock(), self.counted - self.study.counted
        parts = [duration(now - self._begun)]
        if self.study.n_trials is not None and self._first_trial_at is not None and done:
            left_s = (now - self._first_trial_at) / done * max(0, self.study.n_trials - self.counted)
            parts.append(f"about {duration(left_s)} left")
        if self._best is not None:
            parts.append(f"best {figure_text(self.study.objectives[0], self._best)}")
        return ", ".join(parts)


def folded(text: str, indent: int = 0) -> list[str]:
    """Return a line as lines of at most `LINE_WIDTH` characters; those after the first are indented."""
    if len(text) <= LINE_WIDTH:
        return [text]
    return textwrap.wrap(text, LINE_WIDTH, subsequent_indent=" " * indent, break_on_hyphens=False)


def progress_lines(console: Console, verbosity: Verbosity = Verbosity.NORMAL) -> Callable[[str], None]:
    """Return a function that prints a line, folded where it is too long, and nothing if the run is quiet."""

    def show_line(line: str) -> None:
        for part in folded(line, 4) if verbosity > Verbosity.QUIET else ():
            console.print(part, highlight=False, markup=False)

    return show_line


def _where(batch: BatchDone) -> str:
    return f"epoch {batch.epoch} of {batch.epochs}"
