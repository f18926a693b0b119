"""Workers that do what a script says, without data, torch and database: they die, hang, or are done."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from collections.abc import Callable, Mapping, MutableSequence
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from search.record.events import Activity, Say, WorkerEnded
from search.store.outage.patience import Patience
from search.store.sql import open_store
from search.work.job import RENEW, Job
from search.work.process import run_process

if TYPE_CHECKING:
    from search.record.trial import TrialRecord
    from search.trial.runner import Hooks
    from spaces.base import ParamValue


def job(folder: Path, *script: str, hung_after_s: float | None = None, deadline: float | None = None) -> Job:
    """A job whose process does the first word of the script, the process that replaces it the second, and so on."""
    return Job(
        study="scripted",
        generation=1,
        definition={"script": script},
        url="",
        root=folder,
        index=0,
        device="cpu",
        threads=1,
        n_trials=1,
        timeout_s=None,
        deadline=deadline,
        hung_after_s=hung_after_s,
    )


def run_scripted(job: Job, pipe: Connection, steps: MutableSequence[float]) -> None:
    """Act as the job's script says. It takes the place of `run_worker`."""
    run_process(lambda say: _act(job, say), job.root / f"worker-{job.index}.log", pipe, steps)


def _act(job: Job, say: Say) -> WorkerEnded:
    if job.definition["script"] == ("deadly trials",):
        return _work_on_deadly_trials(job, say)
    script = job.definition["script"]
    starts = job.root / f"starts-{job.index}"
    with starts.open("a") as file:
        file.write("x")
    word = script[min(starts.stat().st_size, len(script)) - 1]
    where, _, what = word.rpartition(" in ")
    if what == "trial":
        say(Activity("trial 3: training", 3))
    if what == RENEW:
        return WorkerEnded(RENEW)
    _END[where or what](job)
    return WorkerEnded("done")


def _work_on_deadly_trials(job: Job, say: Say) -> WorkerEnded:
    """Work on a real study whose second trial ends its process by a signal each time."""
    from search.sampler.registry import sampler_seed
    from search.work import deaths, worker
    from tests.search.work import quick_trials

    class DeadlyTrials(quick_trials.QuickTrials):
        def run(self, number: int, params: Mapping[str, ParamValue], hooks: Hooks) -> TrialRecord:
            if number == 1:
                os.kill(os.getpid(), signal.SIGSEGV)
            return super().run(number, params, hooks)

    store = open_store(job.url)
    study = store.latest_study("quick")
    if study is None:
        raise LookupError("the test has made no study")
    with store.exclusive("optuna tables"):
        seed = sampler_seed(0, job.index, len(store.records(study)))
        optuna = quick_trials.optuna_study_of(job.url, study, seed)
    deaths.TRIES_UNTIL_FAILED = 2  # type: ignore[attr-defined]
    working = worker.Worker(store, study, optuna, DeadlyTrials(), n_trials=job.n_trials, deadline=None, say=say)
    working.reconcile()
    working.settle()
    return WorkerEnded(working.work())


def _blocked(job: Job) -> None:
    fifo = job.root / "fifo"
    os.mkfifo(fifo)
    fifo.read_bytes()  # nobody writes: as a file system that does not answer


def _deadlocked(_job: Job) -> None:
    """The main thread waits for a thread that waits for it."""
    lock = threading.Lock()
    with lock:
        loader = threading.Thread(target=lock.acquire, daemon=True)
        loader.start()
        loader.join()


def _without_database(job: Job) -> None:
    """Waits in vain: another one keeps the database locked."""
    file = job.root / "locked.db"
    with closing(sqlite3.connect(file)) as other, closing(open_store(f"sqlite:///{file}", Patience(0.1))) as store:
        other.execute("BEGIN EXCLUSIVE")
        store.add_study("locked", {}, ())


def _signals_its_run(_job: Job) -> None:
    os.kill(os.getppid(), signal.SIGTERM)


def _deaf(_job: Job) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Event().wait()


_END: dict[str, Callable[[Job], object]] = {
    "killed": lambda _job: os.kill(os.getpid(), signal.SIGKILL),
    "segfault": lambda _job: os.kill(os.getpid(), signal.SIGSEGV),
    "terminated": lambda _job: os.kill(os.getpid(), signal.SIGTERM),
    "stopped": lambda _job: os.kill(os.getpid(), signal.SIGSTOP),
    "blocked": _blocked,
    "deadlocked": _deadlocked,
    "deaf": _deaf,
    "without its database": _without_database,
    "waiting": lambda _job: threading.Event().wait(),
    "signals its run": _signals_its_run,
    "done": lambda _job: None,
}
