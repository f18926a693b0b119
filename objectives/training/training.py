"""Training of a candidate by a recipe through Ultralytics' trainer; no file remains on the disk."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import logging
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import spaces.offline  # noqa: F401  (before ultralytics)
from objectives.base import EpochResult
from objectives.data.dataset import Dataset
from objectives.data.random_state import own_randomness
from objectives.device.memory import out_of_memory
from objectives.quantities import BEST_F1
from objectives.recipe import Recipe, RecipeError
from objectives.training.kept_training import KeptTraining
from objectives.training.trainer import BestEpoch, CandidateTraining, Progress, Report, training_class
from spaces.base import Candidate, CandidateError

# isort: split
from ultralytics.utils import LOGGER


@dataclass(frozen=True)
class Trained:
    """Trained candidate with its learning curve.

    Attributes:
        candidate: Network with the moving average of the weights at the kept epoch; stock, float32, on the CPU.
        history: One entry for each scored epoch.
        kept_epoch: Number of the epoch whose weights were kept, from 1.
        seconds: Wall seconds of the whole training, including start and validation.
        best_f1: The same network with the weights of the epoch with the best F1.
        earlier_s: Those of `seconds` that earlier processes spent, up to the state that this one went on from.
    """

    candidate: Candidate
    history: tuple[EpochResult, ...]
    kept_epoch: int
    seconds: float
    best_f1: Candidate
    earlier_s: float = 0.0


def train(
    candidate: Candidate,
    recipe: Recipe,
    data: Dataset,
    *,
    seed: int,
    device: str = "cpu",
    scratch: Path,
    teacher: Candidate | None = None,
    report: Report | None = None,
    progress: Progress | None = None,
    kept: KeptTraining | None = None,
) -> Trained:
    """Train a candidate on `train`, score it on `val`, and keep the best epoch.

    Equal arguments give equal weights on the same machine with one thread. The global random generators, the
    number of torch threads and Ultralytics' log level are left as they were.

    Args:
        candidate: Not modified.
        recipe: The trained candidate gets its `imgsz`.
        data: Splits `train` and `val` are used.
        seed: Seeds the order of images, the augmentation and the torch generators.
        device: Device in Ultralytics' notation: `cpu`, `0`, `cuda:0`. Mixed precision on a GPU, float32 on the CPU.
        scratch: Folder for a temporary folder, which is removed at the end.
        teacher: Teacher of the distillation if `recipe.distill` > 0; not modified.
        report: Called after each scored epoch. `EpochResult.loss` is the loss on val; `seconds` are counted from the
            previous scored epoch. An exception that it raises ends the training and is passed on unchanged.
        progress: Called after each batch with epoch, epochs, batch, batches; may raise as well.
        kept: Where the state is kept after each epoch but the last, and found again. Epochs of an earlier process are
            neither trained nor reported again; the candidate then only needs to be of the same structure.

    Raises:
        CandidateError: If loss or weights are no longer finite, memory runs out, or student and teacher do not fit.
        RecipeError: If `recipe.distill` > 0 and there is no teacher, or the classes do not fit the data.
    """
    if recipe.distill > 0 and teacher is None:
        raise RecipeError(f"recipe: 'distill' is {recipe.distill}, but there is no teacher; set it to 0")
    if len(candidate.classes) != len(data.classes):
        raise RecipeError(f"the network has {len(candidate.classes)} classes, data '{data.name}' {len(data.classes)}")
    started = time.perf_counter()
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="training-", dir=scratch) as folder, _silence(), own_randomness():
        run = training_class(data.task)(
            candidate,
            recipe,
            data,
            seed=seed,
            device=device,
            folder=Path(folder),
            teacher=teacher,
            report=report,
            progress=progress,
            kept=kept,
        )
        shortage = _train_within_memory(run)
    if shortage:  # raised outside of the handler, so that the tensors of the failed run can be freed
        raise CandidateError(shortage)
    earlier_s = 0.0 if kept is None else kept.earlier_s
    best, best_f1 = run.best_epochs[recipe.keep], run.best_epochs[BEST_F1.name]
    return Trained(
        candidate=_with_weights(candidate, best, recipe.imgsz),
        history=tuple(run.history),
        kept_epoch=best.epoch,
        seconds=earlier_s + time.perf_counter() - started,
        best_f1=_with_weights(candidate, best_f1, recipe.imgsz),
        earlier_s=earlier_s,
    )


def _with_weights(candidate: Candidate, best: BestEpoch, imgsz: int) -> Candidate:
    """Return the candidate with the weights of an epoch."""
    network = copy.deepcopy(candidate.network).float()
    network.load_state_dict(best.weights)
    return dataclasses.replace(candidate, network=network.eval(), imgsz=imgsz)


def _train_within_memory(run: CandidateTraining) -> str:
    """Train. Return a message if memory ran out, else an empty text."""
    try:
        _train_or_keep(run)
    except (RuntimeError, MemoryError) as error:
        reason = out_of_memory(error)
        if error is run.error_of_caller or reason is None:
            raise
        return f"out of memory with batch {run.recipe.batch} at {run.recipe.imgsz} px on {run.device}: {reason}"
    return ""


def _train_or_keep(run: CandidateTraining) -> None:
    """Train. If anything ends the training before its end, keep the state of its last epoch."""
    try:
        run.train()
    except BaseException:
        if run.kept is not None:
            run.kept.flush()
        raise


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Silence Ultralytics: it prints a table of layers and a progress bar otherwise."""
    level = LOGGER.level
    LOGGER.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*deterministic", category=UserWarning)  # a few GPU kernels
            yield
    finally:
        LOGGER.setLevel(level)
