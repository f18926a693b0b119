"""Trains networks beside the search and returns their records: a parent, a donor, a control, a polished trial."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from objectives.base import EpochResult
from objectives.recipe import Recipe
from search.record.ancestors import Ancestor
from search.record.begun import Begun
from search.record.events import Activity, Say
from search.record.stopwatch import Clock, Stopwatch, utc_now
from search.record.trial import TrialRecord
from search.store.entries import TrainedEntry
from search.study.rows import BEST_F1
from search.trial.evaluate import identity_of, measure_before_training, save_and_evaluate
from search.trial.workbench import Workbench
from spaces.base import Candidate, ParamValue


def key_of(**facts: Any) -> str:
    """Return the hash of everything that a network was made from."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:32]


@dataclass(frozen=True, kw_only=True)
class RowTrainer:
    """Trains reference rows with the tools of one process.

    Attributes:
        bench: Its parent is the network that the rows are pruned from.
        say: Receives an event at the start of each training and evaluation.
    """

    bench: Workbench
    say: Say
    clock: Clock = utc_now

    def train(
        self,
        name: str,
        candidate: Candidate,
        recipe: Recipe | None,
        *,
        lineage: str | None,
        inherited: bool,
        also_best_f1: bool = False,
        params: Mapping[str, ParamValue] = {},
        ancestors: tuple[Ancestor, ...] = (),
        earlier_training_s: float = 0.0,
        seed: int | None = None,
    ) -> tuple[TrialRecord, ...]:
        """Train a network (if there is a recipe), save, reload and evaluate it; return its row, or two rows.

        Args:
            lineage: Name of the row that the network was made from.
            inherited: Whether its weights come from a wider network: BatchNorm is re-estimated first then.
            also_best_f1: Whether the epoch with the best F1 is a second row.
            params: Facts about the pruning, for the record.
            ancestors: Networks that the weights were trained as before.
            earlier_training_s: Seconds of an earlier training that count as this row's own.
            seed: Seed of this training; by default the study's.
        """
        bench = self.bench
        seed = bench.training.seed if seed is None else seed
        if recipe is not None:
            candidate = replace(candidate, imgsz=recipe.imgsz)
        watch = Stopwatch()
        how = None if recipe is None else identity_of(candidate.spec, candidate.origin, recipe, seed)
        begun = Begun(
            number=None,
            name=name,
            params=params,
            spec=candidate.spec,
            origin=candidate.origin,
            identity=how or key_of(name=name),
            recipe={} if recipe is None else recipe.as_plain(),
            seed=seed,
            lineage=lineage,
            ancestors=ancestors,
            started=self.clock(),
        )
        begun = begun.with_measurements(measure_before_training(bench, candidate, watch))
        curve: tuple[EpochResult, ...] = ()
        best_f1 = None
        if recipe is not None:
            self.say(Activity(f"training {name}"))
            with watch.phase("training"):
                result = bench.training.train(
                    candidate, recipe, teacher=bench.parent.candidate(), inherited=inherited, seed=seed
                )
            candidate, curve = result.candidate, result.history
            best_f1 = result.best_f1 if also_best_f1 else None
        self.say(Activity(f"scoring {name}"))
        last = self._evaluate(begun, curve, candidate, watch, earlier_training_s)
        if best_f1 is None:
            return (last,)
        other = replace(begun, name=name + BEST_F1, identity=key_of(identity=begun.identity, epoch="best_f1"))
        return (last, self._evaluate(other, curve, best_f1, Stopwatch()))  # their one training is counted once

    def _evaluate(
        self,
        begun: Begun,
        curve: tuple[EpochResult, ...],
        candidate: Candidate,
        watch: Stopwatch,
        earlier_training_s: float = 0.0,
    ) -> TrialRecord:
        record = save_and_evaluate(self.bench, begun, curve, candidate, watch)
        seconds = watch.seconds()
        seconds["training"] = seconds.get("training", 0.0) + earlier_training_s
        return replace(record, seconds=seconds, finished=self.clock())

    def find(self, key: str) -> TrainedEntry | None:
        """Return the network that was trained under this key before; None if it or its weights are gone."""
        entry = self.bench.store.find_trained(key)
        if entry is None or entry.record.checkpoint is None or entry.record.checkpoint not in self.bench.checkpoints:
            return None
        return entry
