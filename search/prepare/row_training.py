"""Trains a network beside the search and makes its record: a parent, a donor, a control, a polished trial."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from objectives.base import EpochResult
from objectives.recipe import Recipe
from search.record.begun import Begun
from search.record.stopwatch import Stopwatch
from search.record.trial import TrialRecord
from search.store.entries import TrainedEntry
from search.study.rows import BEST_F1
from search.trial.evaluate import identity_of, measured_before, save_and_evaluate
from search.trial.workbench import Workbench
from spaces.base import Candidate, ParamValue


@dataclass(frozen=True)
class Progress:
    """How the makers of networks say what they do and what time it is."""

    say: Callable[[str], None]
    clock: Callable[[], datetime]


def key_of(**facts: Any) -> str:
    """Hash of everything that made a network."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:32]


def make_all(
    bench: Workbench,
    name: str,
    candidate: Candidate,
    recipe: Recipe | None,
    lineage: str | None,
    progress: Progress,
    *,
    inherited: bool,
    also_f1: bool = False,
    params: Mapping[str, ParamValue] = {},
    spent_s: float = 0.0,
) -> tuple[TrialRecord, ...]:
    """A reference row, or two: train (if there is a recipe), save, reload, score.

    Args:
        lineage: Name of what it was made from.
        inherited: Its weights come from a wider network: BatchNorm is re-estimated first.
        also_f1: Whether the epoch of the best F1 is wanted too, as a second row.
        params: What is to be told of how it was cut.
        spent_s: Seconds of training before, that are to be counted with its own.
    """
    if recipe is not None:
        candidate = replace(candidate, imgsz=recipe.imgsz)
    watch = Stopwatch()
    how = None if recipe is None else identity_of(candidate.spec, candidate.origin, recipe, bench.seed)
    begun = Begun(
        number=None,
        name=name,
        params=params,
        spec=candidate.spec,
        origin=candidate.origin,
        identity=how or key_of(name=name),
        recipe={} if recipe is None else recipe.as_plain(),
        seed=bench.seed,
        lineage=lineage,
        started=progress.clock(),
    )
    begun = begun.with_measurements(measured_before(bench, candidate, watch))
    curve: tuple[EpochResult, ...] = ()
    best_f1 = None
    if recipe is not None:
        progress.say(f"training {name}")
        with watch.phase("training"):
            result = bench.train(candidate, recipe, None, bench.parent.candidate(), inherited=inherited)
        candidate, curve = result.candidate, result.history
        best_f1 = result.best_f1 if also_f1 else None
    progress.say(f"scoring {name}")
    done = save_and_evaluate(bench, begun, curve, candidate, watch)
    seconds = watch.seconds()
    seconds["training"] = seconds.get("training", 0.0) + spent_s
    done = replace(done, seconds=seconds, finished=progress.clock())
    if best_f1 is None:
        return (done,)
    watch = Stopwatch()  # its training is counted once
    other = replace(begun, name=name + BEST_F1, identity=key_of(identity=begun.identity, epoch="best_f1"))
    second = save_and_evaluate(bench, other, curve, best_f1, watch)
    return (done, replace(second, seconds=watch.seconds(), finished=progress.clock()))


def found(bench: Workbench, key: str) -> TrainedEntry | None:
    """A network that was made before by what that key stands for, if its weights are still there."""
    entry = bench.store.find_trained(key)
    if entry is None or entry.record.checkpoint is None or entry.record.checkpoint not in bench.checkpoints:
        return None  # its weights were deleted: make it again
    return entry


def checkpoint_of(entry: TrainedEntry) -> str:
    """The content hash of its weights."""
    assert entry.record.checkpoint is not None
    return entry.record.checkpoint
