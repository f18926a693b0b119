"""`--batch auto`: the batch size is measured once, when the study begins, and then belongs to its definition."""

from __future__ import annotations

import os
from collections.abc import Callable, MutableSequence
from contextlib import closing
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from objectives.base import Direction
from objectives.device.device_names import devices_of
from search.finish.run_request import RunRequest
from search.prepare.study_entry import with_batch
from search.record.events import Note, Say, WorkerEnded
from search.record.folders import RunFolder
from search.store.base import Store
from search.store.outage.among_all import once_among_all
from search.store.outage.patience import Patience
from search.store.sql import open_store
from search.study.definition import stored_definition
from search.work.liveness import host_tag
from search.work.lone_process import LoneProcess
from search.work.process import run_process
from spaces.base import CandidateError


@dataclass(frozen=True)
class BatchTask:
    """Order to measure the batch size of a study. Its values are plain, because it is sent to a process of its own.

    Attributes:
        name: Name of the study.
        definition: Its definition as plain values.
        new: Whether the study is begun again.
        url: URL of the database.
        root: Run folder.
        device: Device that trains.
        workers: Number of processes that train on it.
        threads: torch threads of each.
        database_wait_s: Seconds that a database which is away is waited for.
    """

    name: str
    definition: dict[str, Any]
    new: bool
    url: str
    root: Path
    device: str
    workers: int
    threads: int
    database_wait_s: float


def with_measured_batch(
    store: Store, request: RunRequest, show_line: Callable[[str], None], deadline: float | None
) -> RunRequest:
    """Return the request with the batch size of the stored study, which is measured and stored now if it is new.

    Raises:
        CandidateError: If no size can be measured: the data or the parent cannot be read, or the time is up.
    """
    definition = request.definition
    stored = store.latest_study(definition.name)
    if stored is None and request.resume:
        return request  # which is refused
    if stored is None or request.new:
        devices = devices_of(request.device)
        task = BatchTask(
            definition.name, definition.as_plain(), request.new, request.storage, request.runs.root, devices[0],
            -(-request.workers // len(devices)), request.threads, request.database_wait_s,
        )  # fmt: skip
        error = LoneProcess(deadline, definition.hung_after_s, show_line).run(store_with_batch, task, "batch")
        stored = store.latest_study(definition.name)
        if error or stored is None:
            raise CandidateError(f"--batch auto: {error or 'the study was not stored'}")
    else:
        show_line("batch: as it was when the study began")
    batch = (stored.definition.get("recipe") or {}).get("batch")
    return replace(request, definition=with_batch(definition, batch), new=False)


def store_with_batch(task: BatchTask, pipe: Connection, steps: MutableSequence[float]) -> None:
    """Measure the batch size and store the study, until the end of this process. See `run_process`."""
    folder = RunFolder(task.root)

    def work(say: Say) -> WorkerEnded:
        with closing(open_store(task.url, Patience(task.database_wait_s, say, has_answered=True))) as store:
            _measure_and_store(task, store, folder, lambda line: say(Note(line)))
        return WorkerEnded("done")

    run_process(work, folder.study(task.name) / "batch.log", pipe, steps)


def _measure_and_store(task: BatchTask, store: Store, folder: RunFolder, show_line: Callable[[str], None]) -> None:
    """Measure and store, unless another run does."""
    import torch  # not above, as the next two: the command imports this module

    from search.prepare.batch_size import measure_batch
    from search.prepare.inputs import StudyInputs, load_initial_parent, open_data

    torch.set_num_threads(task.threads)
    definition = stored_definition(task.name, task.definition)
    latest = store.latest_study(task.name)
    before = latest.generation if latest is not None and task.new else 0

    def is_stored() -> bool:
        study = store.latest_study(task.name)
        return study is not None and study.generation > before

    with once_among_all(store, f"batch of {task.name}", is_stored) as is_ours:
        if is_ours:
            data = open_data(definition, folder)
            inputs = StudyInputs(data, load_initial_parent(definition, data))
            scratch = folder.scratch(host_tag(), os.getpid())
            batch = measure_batch(definition, inputs, task.device, scratch, workers=task.workers, say=show_line)
            show_line(f"batch {batch} is the study's from now on")
            measured = with_batch(definition, batch)
            objectives = [(name, Direction(value)) for name, value in measured.objectives.items()]
            store.add_study(task.name, measured.as_plain(), objectives)
