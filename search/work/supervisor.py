"""Supervisor of the worker processes of one machine: starts and ends them, forwards events, replaces dead ones."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Empty
from types import FrameType

from search.cli.command import EXIT_OF_SIGNAL, Exit
from search.record.events import Activity, BatchDone, Event, Note, RecordStored, WorkerEnded
from search.work.death_notes import DeathNotes, NoteDeath
from search.work.job import NO_PROGRESS, RENEW, TRIES_UNTIL_FAILED, Job, reason_of_all
from search.work.process import WORKER_GRACE_S, run_worker
from search.work.watched_process import Told, WatchedProcess
from spaces.step_watch import StepWatch

MAX_DEATHS = 5
"""Number of deaths in a row without a trial to blame after which a worker is not replaced."""
MAX_DEATHS_IN_TRIAL = TRIES_UNTIL_FAILED + 2
"""Number of deaths in one trial after which it is no longer to blame: it should be stored as failed by then."""
TIMEOUT_GRACE_S = 10.0
"""Seconds after the end of the time in which running trials may end by themselves."""
LOOK_S = 0.5
"""Seconds between two looks at the workers."""
SIGNAL_SPREAD_S = 1.0
"""Seconds between the first and the last process of a run that get the same signal: some senders take one by one."""
FINAL = frozenset({signal.SIGINT, signal.SIGTERM})
"""Signals that mean the end even if the run was told to come back later just before."""


@dataclass
class _Running:
    """A worker, its present process, and what that does."""

    job: Job
    process: WatchedProcess
    watch: StepWatch
    ended: WorkerEnded | None = None
    deaths: int = 0  # in a row, without a trial to blame
    looked_dead: bool = False  # at the last look; its last events may still be on their way
    doing: Activity = field(default_factory=lambda: Activity("starting"))
    batch: BatchDone | None = None

    def note(self, event: Event) -> bool:
        """Keep what tells later where the process was. Return whether its training got further by an epoch."""
        before, got_further = self.batch, False
        if isinstance(event, Activity):
            self.doing, self.batch = event, None
        elif isinstance(event, BatchDone):
            self.batch, got_further = event, before is not None and event.epoch > before.epoch
        elif isinstance(event, RecordStored):
            self.deaths = 0
            self.doing, self.batch = Activity("between trials"), None
        return got_further

    @property
    def place(self) -> str:
        """Present work of the worker: `trial 3: training, epoch 2 of 10`."""
        return self.doing.what + ("" if self.batch is None else f", epoch {self.batch.epoch} of {self.batch.epochs}")


@dataclass(frozen=True)
class RunEnd:
    """End of the work of all workers.

    Attributes:
        why: `done`, `left`, `timeout`, `exhausted`, `interrupted` or `error`.
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

    A worker that dies, or makes no steps for too long and is killed, is replaced. The trial that it worked on is to
    blame; the database counts that, and a trial that kills its workers again and again is stored as failed.

    Args:
        show: Called with a worker's index and each of its events.
        note_death: Called, in another thread, with the number of a trial and what its worker died of.
    """

    def __init__(self, jobs: list[Job], show: Callable[[int, Event], None], note_death: NoteDeath) -> None:
        self._notes = DeathNotes(note_death)
        self._show = show
        self._jobs = jobs
        self._deadline = jobs[0].deadline
        self._told: Told = Told()
        self._workers: list[_Running] = []
        self._blamed: Counter[int] = Counter()
        self._signal = 0
        self._looked = 0.0

    def run(self) -> RunEnd:
        """Start the workers and wait for them. Signals end them with the reason `interrupted`.

        That holds whatever the workers themselves made of a signal that reached them as well.
        """
        with self._signals_noted():
            try:
                end = self._run()
            except BaseException:  # for example a closed standard output: no worker may outlive the supervisor
                self._end_all()
                raise
        return self._end("interrupted", "", int(EXIT_OF_SIGNAL[self._signal])) if self._signal else end

    def _run(self) -> RunEnd:
        for job in self._jobs:
            if not self._signal:
                process = self._start(job)
                self._workers.append(_Running(job, process, StepWatch(process.steps, job.hung_after_s)))
        while any(worker.ended is None for worker in self._workers):
            if self._signal:
                self._end_all()
                break
            if self._deadline is not None and time.monotonic() >= self._deadline + TIMEOUT_GRACE_S:
                self._say_what_is_cut_off()
                self._end_all()
                return self._end("timeout", "", int(Exit.DONE))
            self._listen()
            self._look()
            failed = next((w.ended for w in self._workers if w.ended is not None and w.ended.why == "error"), None)
            if failed is not None:
                self._end_all()
                return self._end("error", failed.error, failed.exit_code)
        for worker in self._workers:
            worker.process.end(WORKER_GRACE_S)
        return self._end_of([worker.ended for worker in self._workers if worker.ended is not None])

    def _say_what_is_cut_off(self) -> None:
        for worker in self._workers:
            if worker.ended is None:
                line = f"worker {worker.job.index}: the time is up ({worker.place}); the next run goes on with this"
                self._show(worker.job.index, Note(line))

    def _end_of(self, endings: list[WorkerEnded]) -> RunEnd:
        """Return the end that follows from those of the workers: they died only if none of them could go on."""
        reasons = [ended.why for ended in endings]
        if reasons and all(why == "died" for why in reasons):
            return self._end("error", endings[-1].error, int(Exit.ERROR))
        return self._end(reason_of_all(reasons), "", int(Exit.DONE))

    def _start(self, job: Job) -> WatchedProcess:
        return WatchedProcess(run_worker, job, f"worker-{job.index}", self._told)

    def _listen(self) -> None:
        """Wait at most half a second for an event, and handle it."""
        try:
            process, event = self._told.get(timeout=LOOK_S)
        except Empty:
            return
        worker = next((each for each in self._workers if each.process is process and each.ended is None), None)
        if worker is None:  # of a process that was replaced
            return
        if event is None:
            self._died(worker)
        elif isinstance(event, WorkerEnded) and event.why == "interrupted":
            if not self._is_signalled_too():
                self._start_again(worker, "a signal from outside", None)
        elif isinstance(event, WorkerEnded) and event.why == RENEW:
            self._renew(worker)
        elif isinstance(event, WorkerEnded):
            worker.ended = event
        else:
            if worker.note(event) and worker.doing.trial is not None:  # its earlier deaths do not count any more
                self._blamed.pop(worker.doing.trial, None)
            self._show(worker.job.index, event)

    def _is_signalled_too(self) -> bool:
        """Return whether the signal that ended a worker ends the run as well; wait a moment for it."""
        until = time.monotonic() + SIGNAL_SPREAD_S
        while not self._signal and time.monotonic() < until:
            time.sleep(0.05)
        return bool(self._signal)

    def _look(self) -> None:
        """Replace the workers that make no progress, and those that are dead while another process keeps their pipe."""
        if time.monotonic() - self._looked < LOOK_S:
            return
        self._looked = time.monotonic()
        for worker in self._workers:
            silent = self._told.empty() and not worker.process.is_alive()
            was_dead, worker.looked_dead = worker.looked_dead, silent
            if worker.ended is not None:
                continue
            if was_dead and silent:
                self._died(worker)
            elif worker.watch.hangs():
                cause, trial = f"{NO_PROGRESS} for {worker.watch.idle_s:.0f} s ({worker.place})", worker.doing.trial
                self._note(trial, cause)  # before another worker can take up the trial
                self._end_process(worker, 0.0)
                self._start_again(worker, cause, trial)

    def _died(self, worker: _Running) -> None:
        """Replace a worker that ended without an event: it was killed, ran out of memory or crashed in native code."""
        self._end_process(worker, WORKER_GRACE_S)
        cause, trial = worker.process.cause_of_death(), worker.doing.trial
        self._note(trial, cause)
        self._start_again(worker, cause, trial)

    def _note(self, trial: int | None, cause: str) -> None:
        if trial is not None:
            self._notes.add(trial, cause)

    def _end_process(self, worker: _Running, within_s: float) -> None:
        if not worker.process.end(within_s):
            index, pid = worker.job.index, worker.process.pid
            line = f"worker {index} (process {pid}) does not end: the kernel holds it, in a driver or a file system"
            self._show(index, Note(line))

    def _renew(self, worker: _Running) -> None:
        """Start a new process for a worker whose trial had not enough memory; that is no death."""
        self._end_process(worker, WORKER_GRACE_S)
        line = f"worker {worker.job.index}: a new process goes on, because memory ran out in the last trial"
        self._show(worker.job.index, Note(line))
        self._start_process(worker)

    def _start_process(self, worker: _Running) -> None:
        worker.process, worker.doing, worker.batch = self._start(worker.job), Activity("starting"), None
        worker.watch.begin_again(worker.process.steps)

    def _start_again(self, worker: _Running, cause: str, trial: int | None) -> None:
        """Start a worker again, unless it died too often without a trial to blame."""
        hung = cause.startswith(NO_PROGRESS)
        what = f"was ended after {cause}" if hung else f"died by {cause} ({worker.place})"
        how = f"worker {worker.job.index} {what}"
        blamed = trial is not None and self._blamed[trial] < MAX_DEATHS_IN_TRIAL
        if blamed and trial is not None:
            self._blamed[trial] += 1
        worker.deaths = 0 if blamed else worker.deaths + 1
        if worker.deaths >= MAX_DEATHS:
            line = f"{how}, {worker.deaths} times in a row without a trial to blame; its log has more"
            worker.ended = WorkerEnded("died", line, int(Exit.ERROR))
            self._show(worker.job.index, Note(f"{line}; it is not started again"))
            return
        self._show(worker.job.index, Note(f"{how}; starting it again"))
        self._start_process(worker)

    def _end_all(self) -> None:
        """Ask all workers to release their trials and end; kill those that do not end in time."""
        for worker in self._workers:
            worker.process.interrupt()
        until = time.monotonic() + WORKER_GRACE_S
        while any(worker.process.is_alive() for worker in self._workers) and time.monotonic() < until:
            self._hear_last_words()
        for worker in self._workers:
            worker.process.end(until - time.monotonic())
        self._hear_last_words()

    def _hear_last_words(self) -> None:
        try:
            process, event = self._told.get(timeout=0.1)
        except Empty:
            return
        for worker in self._workers:
            if worker.process is process and isinstance(event, WorkerEnded):
                worker.ended = event

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
            if self._signal not in FINAL:
                self._signal = number

        before = {number: signal.signal(number, note) for number in EXIT_OF_SIGNAL}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
