"""Runs one task in a process of its own, which is ended if it hangs or the time is up."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty
from typing import Any

from search.record.events import WorkerEnded, as_lines
from search.work.job import NO_PROGRESS
from search.work.process import WORKER_GRACE_S
from search.work.supervisor import LOOK_S, TIMEOUT_GRACE_S
from search.work.watched_process import Told, WatchedProcess
from spaces.step_watch import StepWatch

TIME_IS_UP = "the time is up"
"""Error of a task that was ended by the deadline."""


@dataclass(frozen=True)
class LoneProcess:
    """Runs a task in a process of its own, and watches its progress.

    Attributes:
        deadline: Time of `time.monotonic` at which it is ended; None for no limit.
        hung_after_s: Seconds without a step after which it counts as hung; None for the usual limit.
        show_line: Receives the lines for the user.
    """

    deadline: float | None
    hung_after_s: float | None
    show_line: Callable[[str], None]

    def run(self, work: Callable[..., None], task: Any, name: str) -> str:
        """Run a task to its end. Return an error in one line; empty if there is none.

        Args:
            work: Function of a module, as `WatchedProcess` takes it; it calls `run_process`.
        """
        told = Told()
        process = WatchedProcess(work, task, name, told)
        try:
            return self._follow(process, told)
        finally:  # also after Ctrl-C
            process.interrupt()
            process.end(WORKER_GRACE_S)

    def _follow(self, process: WatchedProcess, told: Told) -> str:
        watch = StepWatch(process.steps, self.hung_after_s)
        while True:
            if self.deadline is not None and time.monotonic() >= self.deadline + TIMEOUT_GRACE_S:
                return TIME_IS_UP
            if watch.hangs():
                process.end(0.0)
                return f"{NO_PROGRESS} for {watch.idle_s:.0f} s"
            try:
                _, event = told.get(timeout=LOOK_S)
            except Empty:
                continue
            if event is None:
                process.end(WORKER_GRACE_S)
                return f"its process died by {process.cause_of_death()}"
            if isinstance(event, WorkerEnded):
                return event.error or ("" if event.why == "done" else event.why)
            as_lines(self.show_line)(event)
