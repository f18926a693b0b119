"""Job of a worker process, which it gets when it is started."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from objectives.device.device_names import devices_of
from search.store.outage.patience import PATIENCE_S

TRIES_UNTIL_FAILED = 5
"""Number of workers that died on a trial after which it is stored as failed: it probably kills its workers."""
HANGS_UNTIL_FAILED = 2
"""Number of workers that made no progress on a trial after which it is stored as failed: each costs ten minutes."""
NO_PROGRESS = "no progress"
"""Beginning of the cause of death of a worker that hung."""
RENEW = "renew"
"""Reason to end with which a worker asks for a new process."""
LEFT = "left"
"""Reason to end of a worker, or of all of a run, that leaves the last trials to workers of other jobs."""


@dataclass(frozen=True)
class Job:
    """Work of one worker process. It has plain values, because it is sent to the new process.

    Attributes:
        study: Name of the study.
        generation: Generation to work on; it is created if it does not exist yet.
        definition: Definition of the study as plain values.
        url: URL of the database.
        root: Run folder.
        index: Number of the worker among all of the study, on all machines, from 0. It samples with seed + index.
        workers: Number of workers of the command.
        device: Device for training, in Ultralytics' notation: `cpu`, `0`, `cuda:1`.
        threads: Number of torch threads.
        n_trials: Number of trials of the study.
        budget: See `StudyDefinition.budget`; the number of trials does not count then.
        gpu_hours: GPU-hours of all runs of the study after which no further trial begins; None for no limit.
        repeats: Number of trials that are trained once more at the end; a budget keeps their part back.
        strict: Whether the warnings about the data set end the run before anything is trained.
        timeout_s: Seconds that the run may take; None for no limit.
        database_wait_s: Seconds that the worker waits for a database that is away.
        deadline: The end of this time, in seconds of `time.monotonic`, which all processes of a machine share.
        keep_every_s: Minimum number of seconds between two writes of the state of a training.
        parent_wait_s: Seconds that the worker waits for a parent that another one trains.
        hung_after_s: Seconds without a step after which the worker counts as hung; None for the usual limit.
        is_first: Whether it is the first worker of its command, which says what all of them would say.
        leaves: Whether it ends while other workers run the last trials, as in a batch job. Else it waits for them.
    """

    study: str
    generation: int
    definition: Mapping[str, Any]
    url: str = field(repr=False)
    root: Path
    index: int
    device: str
    threads: int
    n_trials: int
    timeout_s: float | None
    budget: str | None = None
    gpu_hours: float | None = None
    repeats: int = 0
    strict: bool = False
    database_wait_s: float = PATIENCE_S
    deadline: float | None = None
    hung_after_s: float | None = None
    keep_every_s: float = 0.0
    parent_wait_s: float = math.inf
    is_first: bool = True
    leaves: bool = False
    workers: int = 1

    @property
    def makes_controls_first(self) -> bool:
        """True if the worker makes controls before trials. The first of several begins with trials at once."""
        return not self.is_first or self.workers == 1


def reason_of_all(reasons: Collection[str]) -> str:
    """Return the reason why a run ended from those of its workers; some may have died."""
    first = next((why for why in ("exhausted", "timeout") if why in reasons), "done")
    return LEFT if first == "done" and set(reasons) <= {LEFT, "died"} else first


def jobs_for_workers(job: Job, numbers: Sequence[int]) -> list[Job]:
    """Return the jobs of the workers with these numbers; they take the devices in turn."""
    devices = devices_of(job.device)
    return [
        replace(
            job,
            index=number,
            device=devices[position % len(devices)],
            is_first=position == 0,
            workers=len(numbers),
        )
        for position, number in enumerate(numbers)
    ]
