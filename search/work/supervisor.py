"""Supervisor of the worker processes of one machine: starts and ends them, forwards events, restarts dead ones."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import cast

from search.cli.command import Exit
from search.record.events import Event, Note, RecordStored, WorkerEnded
from search.work.job import Job
from search.work.process import END_WITH, WORKER_GRACE_S, run_worker

MAX_DEATHS = 5
"""Number of deaths without a stored record in between after which a worker is not restarted."""


@dataclass
class _Running:
    job: Job
    process: BaseProcess
    pipe: Connection
    ended: WorkerEnded | None = None
    deaths: int = 0


@dataclass(frozen=True)
class RunEnd:
    """End of the work of all workers.

    Attributes:
        why: `done`, `timeout`, `exhausted`, `interrupted` or `error`.
        error: One line for the user if `why` is `error`.
        exit_code: Exit code of the command.
        seconds: Wall seconds of all workers outside of trials, by phase.
    """

    why: str
    error: str
    exit_code: int
    seconds: dict[str, float]


class Supervisor:
    """Runs worker processes until all have ended.

    Args:
        show: Called with a worker's index and each of its events.
    """

    def __init__(self, jobs: list[Job], show: Callable[[int, Event], None]) -> None:
        # Spawned, not forked: a forked copy of a process with threads (torch, SQL drivers) may deadlock.
        self._context = multiprocessing.get_context("spawn")
        self._show = show
        self._jobs = jobs
        self._workers: list[_Running] = []
        self._signal = 0

    def run(self) -> RunEnd:
        """Start the workers and wait for them. SIGINT and SIGTERM end them with the reason `interrupted`."""
        with self._signals_noted():
            try:
                return self._run()
            except BaseException:  # for example a closed standard output: no worker may outlive the supervisor
                self._end_all()
                raise

    def _run(self) -> RunEnd:
        for job in self._jobs:
            if not self._signal:
                self._workers.append(self._start(job))
        while any(worker.ended is None for worker in self._workers):
            if self._signal:
                self._end_all()
                return self._end("interrupted", "", _exit_code_of(self._signal))
            self._listen()
            failed = next((w.ended for w in self._workers if w.ended is not None and w.ended.why == "error"), None)
            if failed is not None:
                self._end_all()
                return self._end("error", failed.error, failed.exit_code)
        for worker in self._workers:
            worker.process.join(timeout=WORKER_GRACE_S)
        reasons = [worker.ended.why for worker in self._workers if worker.ended is not None]
        why = next((reason for reason in ("exhausted", "timeout") if reason in reasons), "done")
        return self._end(why, "", int(Exit.DONE))

    def _start(self, job: Job) -> _Running:
        ours, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(target=run_worker, args=(job, theirs), name=f"worker-{job.index}")
        resource_tracker.ensure_running()  # when it is started, it unblocks signals; so it is started before
        signal.pthread_sigmask(signal.SIG_BLOCK, END_WITH)  # until the worker has installed its handlers
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, END_WITH)
        theirs.close()
        return _Running(job, process, ours)

    def _listen(self) -> None:
        """Wait at most half a second for events, and handle them."""
        pipes = {worker.pipe: worker for worker in self._workers if worker.ended is None}
        for ready in wait(list(pipes), timeout=0.5):
            worker = pipes[cast(Connection, ready)]
            try:
                event = worker.pipe.recv()
            except (EOFError, OSError):
                self._died(worker)
                continue
            if isinstance(event, WorkerEnded):
                worker.ended = event
            else:
                if isinstance(event, RecordStored):
                    worker.deaths = 0
                self._show(worker.job.index, event)

    def _died(self, worker: _Running) -> None:
        """Restart a worker that ended without an event: it was killed, ran out of memory or crashed in native code."""
        worker.process.join(timeout=WORKER_GRACE_S)
        code = worker.process.exitcode
        cause = f"signal {-code} ({signal.strsignal(-code)})" if code is not None and code < 0 else f"exit code {code}"
        if worker.deaths + 1 >= MAX_DEATHS:
            line = f"worker {worker.job.index} died {worker.deaths + 1} times, last by {cause}; its log has more"
            worker.ended = WorkerEnded("error", line, int(Exit.ERROR))
            return
        self._show(worker.job.index, Note(f"worker {worker.job.index} died by {cause}; starting it again"))
        restarted = self._start(worker.job)
        worker.process, worker.pipe, worker.deaths = restarted.process, restarted.pipe, worker.deaths + 1

    def _end_all(self) -> None:
        """Ask all workers to release their trials and end; kill those that do not end in time."""
        for worker in self._workers:
            if worker.process.is_alive() and worker.process.pid is not None:
                os.kill(worker.process.pid, signal.SIGTERM)
        until = time.monotonic() + WORKER_GRACE_S
        for worker in self._workers:
            self._drain(worker, until)
            worker.process.join(timeout=max(0.0, until - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()

    def _drain(self, worker: _Running, until: float) -> None:
        """Read the last events of a worker that ends: with a full pipe it could not end."""
        while worker.ended is None and time.monotonic() < until:
            try:
                if worker.pipe.poll(0.1):
                    event = worker.pipe.recv()
                    worker.ended = event if isinstance(event, WorkerEnded) else None
                elif not worker.process.is_alive():
                    return
            except (EOFError, OSError):
                return

    def _end(self, why: str, error: str, exit_code: int) -> RunEnd:
        return RunEnd(why, error, exit_code, self._seconds())

    def _seconds(self) -> dict[str, float]:
        total: dict[str, float] = {}
        for worker in self._workers:
            for phase, seconds in (worker.ended.seconds if worker.ended else {}).items():
                total[phase] = total.get(phase, 0.0) + seconds
        return total

    @contextmanager
    def _signals_noted(self) -> Iterator[None]:
        def note(number: int, _frame: FrameType | None) -> None:
            self._signal = number

        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _exit_code_of(number: int) -> int:
    return int(Exit.INTERRUPTED if number == signal.SIGINT else Exit.TERMINATED)


def jobs_for_workers(job: Job, workers: int) -> list[Job]:
    """Return the jobs of several workers on one machine."""
    return [replace(job, index=index) for index in range(workers)]
