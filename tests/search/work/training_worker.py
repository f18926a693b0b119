"""A worker whose one trial is a real training on a handful of digits, with its state kept as in a study."""

from __future__ import annotations

from collections.abc import MutableSequence
from multiprocessing.connection import Connection
from pathlib import Path

from search.kept.folder import KeptFolder
from search.record.events import BatchDone, Note, Say, WorkerEnded
from search.work.job import Job
from search.work.process import run_process

EPOCHS = 3


def run_training(job: Job, pipe: Connection, steps: MutableSequence[float]) -> None:
    """Train. It takes the place of `run_worker`."""
    run_process(lambda say: _train(job, say), job.root / "worker.log", pipe, steps)


def _train(job: Job, say: Say) -> WorkerEnded:
    folder = KeptFolder(job.root / "kept", say=lambda line: say(Note(line)))
    (job.root / "weights").write_text(weights_after_training(job.root, folder, say))
    return WorkerEnded("done")


def weights_after_training(root: Path, folder: KeptFolder, say: Say = lambda event: None) -> str:
    """Return the hash of the weights after a training, which goes on where an earlier one was interrupted."""
    from objectives.data.dataset import open_dataset
    from objectives.recipe import Recipe
    from objectives.training.kept_training import weights_hash
    from objectives.training.training import train
    from tests.objectives.networks import candidate

    data = open_dataset("digits", root / "data", scenes={"train": 24, "val": 4, "test": 4})
    recipe = Recipe(epochs=EPOCHS, batch=4, imgsz=32, close_mosaic=1)
    with folder.work_on("trial 0", lambda: {"seed": "0"}) as kept:
        trained = train(
            candidate(width=0.0625),
            recipe,
            data,
            seed=0,
            scratch=root,
            progress=lambda *numbers: say(BatchDone(*numbers)),
            kept=kept.training(lambda: {"recipe": recipe.key}),
        )
    return weights_hash(trained.candidate.network)
