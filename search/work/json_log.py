"""The log of a run as JSON: one object a line, with `time`, `event` and the facts of that event."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from search.record.events import Activity, BatchDone, Event, RecordStored
from search.work.progress import Progress, StudyProgress
from spaces.command_line import Verbosity
from spaces.display.terminal import ShownConsole
from spaces.shown import print_json


class JsonConsole(ShownConsole):
    """Console whose lines are JSON objects. Tables are left out: whoever prints one tells its figures instead."""

    def tell(self, event: str, **facts: Any) -> None:
        """Print one event with its facts, which are plain values."""
        print_json({"time": datetime.now(UTC).isoformat(), "event": event, **facts}, file=self.file)

    def print(self, *objects: Any, **_options: Any) -> None:
        """Print each line of text as an event `line`."""
        for line in (line for text in objects if isinstance(text, str) for line in text.splitlines()):
            if line.strip():
                self.tell("line", text=line)


class JsonProgress(Progress):
    """Tells the workers' events as JSON: `activity`, `epoch`, `record`, and `line` for all others.

    Args:
        console: Receives the events.
    """

    def __init__(self, console: JsonConsole, study: StudyProgress) -> None:
        super().__init__(console, study)
        self._told = console
        self._epochs: dict[int, int] = {}

    def show(self, worker: int, event: Event) -> None:
        """Tell one event of one worker."""
        if isinstance(event, RecordStored):
            self.count(event)
            self._tell_record(worker, event)
        elif isinstance(event, Activity):
            self._epochs.pop(worker, None)
            self._told.tell("activity", worker=worker, what=event.what, trial=event.trial)
        elif isinstance(event, BatchDone):
            if self._epochs.get(worker) != event.epoch:
                self._told.tell("epoch", worker=worker, epoch=event.epoch, epochs=event.epochs)
            self._epochs[worker] = event.epoch
        else:
            super().show(worker, event)

    def _tell_record(self, worker: int, event: RecordStored) -> None:
        record = event.record
        values = {name: record.value(name) for name in self.study.objectives}
        facts = {"name": record.name, "number": record.number, "outcome": record.outcome.value}
        self._told.tell(
            "record",
            worker=worker,
            **facts,
            reason=record.reason,
            moved_front=event.moved_front,
            values=values,
            trials_done=self.counted,
            trials_asked=self.study.n_trials,
            measurements=[asdict(each) for each in record.measurements],
        )


def progress_on(console: Console, study: StudyProgress) -> Progress:
    """Return the display of the workers' events for a console."""
    if isinstance(console, JsonConsole) and study.verbosity > Verbosity.QUIET:
        return JsonProgress(console, study)
    return Progress(console, study)
