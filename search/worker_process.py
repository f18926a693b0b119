"""The process around a worker: signals, quiet output, the tools loaded once, the heartbeat."""

from __future__ import annotations

import faulthandler
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any

import psutil

from search.command import DefinitionError, DefinitionMismatch, Exit
from search.events import Batch, Doing, Event, Left
from search.folders import RunFolder
from search.liveness import host_tag
from search.store.base import StoreError
from spaces.base import CandidateError, SpaceError


class Interrupted(BaseException):
    """The supervisor wants this process to end. Not an `Exception`: nobody may swallow it."""


@dataclass(frozen=True)
class Job:
    """What a worker process is started with.

    Attributes:
        study: The study's name.
        generation: The generation to work on; it is begun if it is not there yet.
        definition: The definition as plain values.
        index: The worker's number, from 0; it samples with seed + index.
        device: Where it trains, as Ultralytics spells it.
        threads: torch threads.
        timeout_s: Seconds after which no trial is begun; None for no limit.
    """

    study: str
    generation: int
    definition: Mapping[str, Any]
    url: str
    root: Path
    index: int
    device: str
    threads: int
    n_trials: int
    timeout_s: float | None


def run_worker(job: Job, pipe: Connection) -> None:
    """Entry point of the process. Everything it has to say goes through the pipe; its output goes to a log."""
    folder = RunFolder(job.root)
    _redirect_output(folder.study(job.study) / f"worker-{job.index}.log")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor decides; a terminal sends it to everybody
    signal.signal(signal.SIGTERM, _interrupt)
    scratch = folder.scratch(host_tag(), os.getpid())
    _sweep(folder)

    def say(event: Event) -> None:
        with suppress(BrokenPipeError):  # the supervisor died; the heartbeat notices and ends this process
            pipe.send(event)

    try:
        left = _work(job, folder, scratch, say)
    except Interrupted:
        left = Left("interrupted")
    except Exception as error:  # reported in one line by the supervisor, in full in the log
        traceback.print_exc()
        left = _left_in_error(error)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        shutil.rmtree(scratch, ignore_errors=True)
    say(left)


def _work(job: Job, folder: RunFolder, scratch: Path, say: Callable[[Event], None]) -> Left:
    begun = time.monotonic()
    say(Doing("loading"))
    # Imported here, not above: the supervisor imports this module and must start without torch.
    import torch

    from search.evaluate import StudyTrials
    from search.heartbeat import Heartbeat
    from search.opening import open_study
    from search.prepare import Setting, data_of, prepare, start_of, workbench
    from search.sampler import Advisor
    from search.sampler_choice import make_sampler, sampler_seed
    from search.stopwatch import Stopwatch
    from search.store.sql import open_store
    from search.study import stored_definition
    from search.worker import Worker

    torch.set_num_threads(job.threads)
    watch = Stopwatch()
    store = open_store(job.url)
    definition = stored_definition(job.study, job.definition)
    with watch.phase("data"):
        say(Doing("checking the data"))
        data = data_of(definition, folder)
        start = start_of(definition, data)
    study = open_study(store, definition, job.generation, {"data": data.key, "weights": start.weights_hash})
    setting = Setting(folder, job.device, scratch)
    with workbench(definition, store, setting, data, start) as bench:
        torch.set_num_threads(job.threads)  # Ultralytics sets its own number while it loads
        bench = replace(bench, progress=lambda *numbers: say(Batch(*numbers)))
        bench, plan, study = prepare(definition, store, study, bench, start, say)
        with store.exclusive("optuna tables"):
            seed = sampler_seed(definition.seed, job.index, len(store.records(study)))
            sampler = make_sampler(definition.sampler.name, seed, plan.starts)
            advisor = Advisor(job.url, study.sampler_name, study.objectives, plan.parameters, sampler)
        deadline = None if job.timeout_s is None else begun + job.timeout_s
        worker = Worker(
            store, study, advisor, StudyTrials(bench, plan), n_trials=job.n_trials, deadline=deadline, say=say
        )
        heartbeat = Heartbeat(store, lambda: worker.held)
        heartbeat.start()
        try:
            worker.reconcile()
            worker.settle()
            why = worker.work()
        finally:
            heartbeat.stop()
    store.close()
    return Left(why, seconds={"data": watch.seconds()["data"]})


def _sweep(folder: RunFolder) -> None:
    """Remove what processes of this host that were killed have left."""
    for pid, left_behind in folder.scratches(host_tag()):
        if not psutil.pid_exists(pid):
            shutil.rmtree(left_behind, ignore_errors=True)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough; a second one must not break the handing back
    raise Interrupted


def _left_in_error(error: Exception) -> Left:
    line = str(error) or type(error).__name__
    if isinstance(error, DefinitionMismatch):
        return Left("error", line, int(Exit.MISMATCH))
    if isinstance(error, DefinitionError | SpaceError):
        return Left("error", line, int(Exit.USAGE))
    if isinstance(error, StoreError | CandidateError | OSError):
        return Left("error", line, int(Exit.ERROR))
    return Left("error", f"{type(error).__name__}: {line}", int(Exit.ERROR))


def _redirect_output(log: Path) -> None:
    """Send this process's output to a file: libraries print at will, and the terminal belongs to the progress."""
    log.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    faulthandler.enable()
