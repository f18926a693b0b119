"""The workers of a run, from their start to their end: numbered, watched, and registered in the database."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from contextlib import suppress

from rich.console import Console

from objectives.device.device_names import devices_of
from objectives.device.lock import HUNG_AFTER
from search.batch.registry import own_job
from search.finish.run_request import RunRequest
from search.record.events import Event, RecordStored
from search.record.trial import TrialRecord
from search.store.base import Store, StoreError, WorkerId
from search.store.runs.register import RunEntry
from search.store.sql import RELEASE_TIMEOUT_S
from search.store.url import mask
from search.study.definition import StudyDefinition
from search.work.job import Job, jobs_for_workers
from search.work.json_log import progress_on
from search.work.liveness import STALE_AFTER_S, is_alive, this_worker
from search.work.progress import StudyProgress, progress_lines
from search.work.signs_of_life import SignsOfLife
from search.work.supervisor import RunEnd, Supervisor


def run_workers(store: Store, request: RunRequest, generation: int, console: Console, deadline: float | None) -> RunEnd:
    """Run the workers of a study until they have ended. Returns how."""
    definition, workers = request.definition, request.workers
    stored = store.latest_study(definition.name)
    counted = store.counted(stored) if stored is not None and stored.generation == generation else 0
    show_line = progress_lines(console, request.verbosity)
    show_line(
        f"study {definition.name}: {_done(counted, definition)}, "
        f"{workers} worker{'s' if workers != 1 else ''}, {mask(request.storage)}"
    )
    _set_environment(request.threads, definition.hung_after_s)
    job = Job(
        study=definition.name,
        generation=generation,
        definition=definition.as_plain(),
        url=request.storage,
        root=request.runs.root,
        index=0,
        device=request.device,
        threads=request.threads,
        n_trials=definition.n_trials,
        timeout_s=request.timeout_s,
        deadline=deadline,
        hung_after_s=definition.hung_after_s,
        budget=definition.budget,
        gpu_hours=request.gpu_hours,
        repeats=request.repeats_in_all,
        strict=request.strict,
        database_wait_s=request.database_wait_s,
        keep_every_s=request.keep_every_s,
        parent_wait_s=request.parent_wait_s,
        leaves=request.leaves,
    )

    def note_death(trial: int, cause: str) -> None:
        study = store.latest_study(definition.name)
        if study is not None:
            store.note_death(study, trial, cause)

    expected = definition.n_trials if definition.budget is None else None
    progress_of = StudyProgress(tuple(definition.objectives), expected, counted, request.verbosity)
    this_run, studied = this_worker(), (definition.name, generation)
    numbers = store.join(studied, this_run, workers, is_alive)
    try:
        with (
            progress_on(console, progress_of) as progress,
            SignsOfLife(store, _entry(request, generation, this_run)) as signs,
        ):

            def show(worker: int, event: Event) -> None:
                signs.note(worker, event)
                progress.show(worker, event)
                if isinstance(event, RecordStored):
                    tell_listeners(request, event.record, show_line)

            finish = Supervisor(jobs_for_workers(job, numbers), show, note_death).run()
            signs.end(finish.why)
    finally:
        with suppress(StoreError):  # the next run on this machine finds the numbers free
            store.leave(studied, this_run)
    _release_dead(store, definition)
    return finish


def tell_listeners(request: RunRequest, record: TrialRecord, show_line: Callable[[str], None]) -> None:
    """Call the request's listeners with a record. An error of one becomes a line: it must not end the workers."""
    for listener in request.on_record:
        try:
            listener(record)
        except Exception as error:
            show_line(f"warning: {record.name} is stored, but a callback failed: {type(error).__name__}: {error}")


def _entry(request: RunRequest, generation: int, run: WorkerId) -> RunEntry:
    """Return the run as it begins, for the register."""
    job, gpus = own_job(), _visible_gpus(request.device)
    return RunEntry(
        study=request.definition.name,
        generation=generation,
        host=run.host,
        pid=run.pid,
        started=run.started,
        system="" if job is None else job.system,
        job="" if job is None else job.job,
        restarts=0 if job is None else job.restarts,
        node=platform.node() if job is None else job.node,
        device=",".join(gpus) or "cpu",
        gpus=len(gpus),
        gpu_hours=request.gpu_hours,
    )


def _visible_gpus(device: str) -> list[str]:
    """Return the names of the GPUs that this run may use: all that its job has, since nobody else can use them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name.strip() for name in visible.split(",") if name.strip()]
    return [name.removeprefix("cuda:") for name in devices_of(device) if name != "cpu"]


def _done(counted: int, definition: StudyDefinition) -> str:
    """Return how far the study is: `3 of 10 trials done`, or `3 trials done, budget 300epochs`."""
    if definition.budget is not None:
        return f"{counted} trials done, budget {definition.budget}"
    if definition.copied_from is not None and not definition.n_trials:
        return f"the networks of {definition.copied_from} on {definition.target.name}, no training"
    return f"{counted} of {definition.n_trials} trials done"


def _release_dead(store: Store, definition: StudyDefinition) -> None:
    """Release trials of workers that were killed, or were interrupted before they knew that they had claimed one.

    If the database is not available, the next run does it.
    """
    with suppress(StoreError), store.waiting_at_most(RELEASE_TIMEOUT_S):
        study = store.latest_study(definition.name)
        if study is not None:
            store.reconcile(study, is_alive, STALE_AFTER_S)


def _set_environment(threads: int, hung_after_s: float | None) -> None:
    """Set the environment that the workers inherit; OpenMP reads it when they load torch."""
    if hung_after_s is not None:
        os.environ[HUNG_AFTER] = str(hung_after_s)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
