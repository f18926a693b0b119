"""Request for a run: the study, and how it is run on this machine."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from search.record.folders import RunFolder
from search.record.trial import TrialRecord
from search.store.outage.patience import PATIENCE_S
from search.study.budget import repeats_in_all
from search.study.definition import StudyDefinition
from spaces.command_line import Verbosity


@dataclass(frozen=True)
class RunRequest:
    """A study to run on this machine, and how.

    Attributes:
        runs: Run folder for data, checkpoints and reports.
        storage: URL of the database.
        new: Begin the study again; the stored one stays in the database.
        resume: Refuse to begin a study that is not stored.
        device: Device that trains, as Ultralytics spells it: `cpu`, `0`; of several, `0,1`, the workers take one each.
        workers: Number of worker processes.
        threads: torch threads of each worker.
        timeout_s: Seconds after which the run ends, within a minute; None for no limit. Running trials are released.
        polish_epochs: Epochs that the front's trials are trained further for at the end; None for no polishing.
        confirm: True if the front, the parent and the best networks by hand are timed side by side at the end.
        database_wait_s: Seconds that a database which is away is waited for.
        keep_every_s: Minimum number of seconds between two writes of the state of a training.
        repeats: Number of trials that are trained once more at the end, to tell the noise of training; None is one if
            the study has a budget, else none.
        strict: True if warnings about the data set end the run before anything is trained.
        leaves: True if a worker ends while those of other runs have the last trials, as in a batch job; the run that
            ends last then ends the study. Else it waits for them.
        measures_batch: True if the batch size is measured when the study begins, and then belongs to it.
        gpu_hours: GPU-hours of all runs of the study after which no further trial begins; None for no limit.
        parent_wait_s: Seconds that a worker waits for a parent that another run trains; it then ends with code 75.
        on_done: Command for the shell that tells of the study's end; empty for none.
        verbosity: Amount that is said of the progress.
        on_record: Functions that are called with each record that a worker has stored, in the process of the run.
    """

    definition: StudyDefinition
    runs: RunFolder
    storage: str = field(repr=False)
    new: bool = False
    resume: bool = False
    device: str = "cpu"
    workers: int = 1
    threads: int = 1
    timeout_s: float | None = None
    polish_epochs: int | None = None
    confirm: bool = True
    repeats: int | None = None
    strict: bool = False
    database_wait_s: float = PATIENCE_S
    verbosity: Verbosity = Verbosity.NORMAL
    keep_every_s: float = 0.0
    leaves: bool = False
    measures_batch: bool = False
    gpu_hours: float | None = None
    parent_wait_s: float = math.inf
    on_done: str = ""
    on_record: tuple[Callable[[TrialRecord], object], ...] = ()

    @property
    def repeats_in_all(self) -> int:
        """The number of repeated trials, with its default in place."""
        return repeats_in_all(self.definition.budget, self.repeats)
