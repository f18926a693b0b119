"""Steps after the last trial: trials trained once more, the front trained further, and timed again side by side.

Each runs in a process of its own, so that it can be ended, whatever it hangs in.
"""

from __future__ import annotations

from collections.abc import Callable, MutableSequence
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal

from search.record.events import Note, Say, WorkerEnded
from search.record.folders import RunFolder
from search.store.base import Store, StoreError, StudyEntry
from search.store.outage.patience import Patience
from search.store.sql import open_store
from search.work.process import run_process
from spaces.lasting_imports import without_garbage_collection

FinalStepKind = Literal["repeat", "polish", "confirm", "pictures"]


@dataclass(frozen=True)
class FinalStep:
    """One step. It has plain values, because it is sent to the new process.

    Attributes:
        kind: Name of the step; a key of `FINAL_STEPS`.
        study: Name of the study, without its generation.
        url: URL of the database.
        root: Run folder.
        device: Device that trains.
        database_wait_s: Seconds that a database which is away is waited for.
        amount: Epochs of `polish`, trials of `repeat`.
    """

    kind: FinalStepKind
    study: str
    url: str
    root: Path
    device: str
    database_wait_s: float
    amount: int = 0


def run_final_step(step: FinalStep, pipe: Connection, steps: MutableSequence[float]) -> None:
    """Run a step until the end of this process. The arguments are those of `run_process`."""
    folder = RunFolder(step.root)

    def work(say: Say) -> WorkerEnded:
        with closing(open_store(step.url, Patience(step.database_wait_s, say, has_answered=True))) as store:
            study = store.latest_study(step.study)
            if study is None:
                raise StoreError(f"study '{step.study}' is no longer in the database")
            FINAL_STEPS[step.kind](step, store, study, folder, lambda line: say(Note(line)))
        return WorkerEnded("done")

    run_process(work, folder.study(step.study) / f"{step.kind}.log", pipe, steps)


def _repeat(
    step: FinalStep, store: Store, study: StudyEntry, folder: RunFolder, show_line: Callable[[str], None]
) -> None:
    from search.finish.repeating import repeat_trials

    repeat_trials(store, study, folder, count=step.amount, device=step.device, show_line=show_line)


def _polish(
    step: FinalStep, store: Store, study: StudyEntry, folder: RunFolder, show_line: Callable[[str], None]
) -> None:
    from search.finish.polishing import polish, select_for_polishing

    members = select_for_polishing(store, study)
    polish(store, study, folder, members, epochs=step.amount, device=step.device, show_line=show_line)


def _confirm(
    step: FinalStep, store: Store, study: StudyEntry, folder: RunFolder, show_line: Callable[[str], None]
) -> None:
    with without_garbage_collection():
        from search.finish.finalists import select_finalists
        from search.finish.race import confirm_finalists

    confirm_finalists(store, study, folder, select_finalists(store, study), show_line=show_line)


def _pictures(
    step: FinalStep, store: Store, study: StudyEntry, folder: RunFolder, show_line: Callable[[str], None]
) -> None:
    with without_garbage_collection():
        from search.finish.report_pictures import pictures_of

    pictures_of(store, study, folder, show_line, device=step.device)


FINAL_STEPS = {"repeat": _repeat, "polish": _polish, "confirm": _confirm, "pictures": _pictures}
"""Functions of the steps, by their kind."""
