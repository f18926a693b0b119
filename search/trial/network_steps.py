"""Steps that trials and reference rows share: measuring before the training, training and saving, scoring.

A step that an earlier take has finished is not done again: its result is taken from what is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from objectives.base import EpochResult, Evaluation, Measurement
from objectives.device.memory import out_of_memory
from objectives.training.training import Trained
from search.kept.figures import Figure, curve_of, figures_of, plain_curve, plain_figures
from search.kept.folder import KeptWork
from search.record.begun import Begun
from search.record.stopwatch import Stopwatch
from search.record.trial import TrialRecord
from search.trial.plan import NO_LIMITS
from search.trial.workbench import Workbench
from spaces.base import Candidate, CandidateError


@dataclass(frozen=True)
class SavedTraining:
    """Trained network that is saved.

    Attributes:
        checkpoint: Content hash of its weights.
        best_f1: Content hash of its weights at the epoch with the best F1, if that is saved too.
    """

    checkpoint: str
    curve: tuple[EpochResult, ...] = ()
    best_f1: str | None = None


@contextmanager
def out_of_memory_as_candidate_error() -> Iterator[None]:
    """Raise `CandidateError` where the memory runs out in steps around the training, which does so itself."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        reason = out_of_memory(error)
        if reason is None:
            raise
        raise CandidateError(f"out of memory: {reason}") from error


def measure_before_training(
    bench: Workbench, candidate: Candidate, watch: Stopwatch, limits: Mapping[str, float] = NO_LIMITS
) -> tuple[Measurement, ...]:
    """Measure all objectives of a candidate that need no training, the cheap ones first."""
    found: list[Measurement] = []
    for objective in bench.before_training(limits):
        with watch.phase(objective.phase):
            found += objective.measure(candidate)
    return tuple(found)


def train_and_save(
    bench: Workbench,
    begun: Begun,
    train: Callable[[], Trained],
    watch: Stopwatch,
    kept: KeptWork,
    best_f1: Begun | None = None,
) -> SavedTraining:
    """Train a network and save it, unless an earlier take has done so.

    Args:
        train: Trains it, or goes on with its training.
        best_f1: The row of its epoch with the best F1, if that is saved too.
    """
    plain = kept.step("trained")
    if plain is not None:
        saved = SavedTraining(plain["checkpoint"], curve_of(plain["curve"]), plain["best_f1"])
        needed = (saved.checkpoint,) if best_f1 is None else (saved.checkpoint, saved.best_f1)
        if all(each in bench.checkpoints for each in needed):
            return saved
    with out_of_memory_as_candidate_error():
        with watch.phase("training"):
            trained = train()
        watch.add({"training": trained.earlier_s})
        curve = trained.history
        saved = save(bench, begun, trained.candidate, watch, curve)
        if best_f1 is not None:
            saved = replace(saved, best_f1=save(bench, best_f1, trained.best_f1, watch, curve).checkpoint)
    plain = {"checkpoint": saved.checkpoint, "curve": plain_curve(curve), "best_f1": saved.best_f1}
    kept.keep("trained", plain, watch.seconds())
    return saved


def save(
    bench: Workbench, begun: Begun, candidate: Candidate, watch: Stopwatch, curve: tuple[EpochResult, ...] = ()
) -> SavedTraining:
    """Save a network with its learning curve."""
    with watch.phase("evaluation"):
        return SavedTraining(bench.checkpoints.put(candidate, _checkpoint_facts(begun, curve)), curve)


def score_saved(bench: Workbench, begun: Begun, saved: SavedTraining, watch: Stopwatch, kept: KeptWork) -> TrialRecord:
    """Load a saved network again, and evaluate the file that would be shipped on every split."""
    with watch.phase("evaluation"):
        name = f"scored {saved.checkpoint}"
        plain = kept.step(name)
        found = figures_of(plain) if plain else _scored(bench, bench.checkpoints.get(saved.checkpoint))
    if plain is None:
        kept.keep(name, plain_figures(found), watch.seconds())
    evaluations, further = _by_kind(found)
    begun = begun.with_measurements((*begun.measurements, *further), begun.constraints)
    return begun.complete(checkpoint=saved.checkpoint, evaluations=evaluations, curve=saved.curve)


def measure_after_training(
    bench: Workbench, candidate: Candidate
) -> tuple[tuple[Evaluation, ...], tuple[Measurement, ...]]:
    """Measure all objectives of a trained network that was saved and loaded again, on every split."""
    return _by_kind(_scored(bench, candidate))


def _scored(bench: Workbench, candidate: Candidate) -> list[Figure]:
    network = bench.training.reloaded_network(candidate)
    return [figure for objective in bench.after_training for figure in objective.measure(network)]


def _by_kind(figures: Sequence[Figure]) -> tuple[tuple[Evaluation, ...], tuple[Measurement, ...]]:
    evaluations = tuple(figure for figure in figures if isinstance(figure, Evaluation))
    return evaluations, tuple(figure for figure in figures if isinstance(figure, Measurement))


def _checkpoint_facts(begun: Begun, curve: Sequence[EpochResult]) -> dict[str, Any]:
    """Return what is stored in a checkpoint: origin, recipe, figures and learning curve.

    There are no times among it: a repeated training must give an equal file.
    """
    return {
        "name": begun.name,
        "seed": begun.seed,
        "lineage": begun.lineage,
        "ancestors": [
            {"name": each.name, "checkpoint": each.checkpoint, "epochs": each.epochs} for each in begun.ancestors
        ],
        "recipe": dict(begun.recipe),
        "figures": {each.name: each.value for each in begun.measurements if each.target is None},
        "curve": [
            {"epoch": each.epoch, "map50_95": each.map50_95, "map50": each.map50, "loss": each.loss} for each in curve
        ],
    }
