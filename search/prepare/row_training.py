"""Trains networks beside the search and returns their records: a parent, a donor, a control, a polished trial."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from objectives.recipe import Recipe
from objectives.training.training import Trained
from search.kept.figures import measurements_of, plain_figures
from search.kept.folder import KeptWork
from search.record.ancestors import Ancestor
from search.record.begun import Begun
from search.record.events import Activity, Say
from search.record.stopwatch import Clock, Stopwatch, utc_now
from search.record.trial import TrialRecord
from search.store.entries import TrainedEntry
from search.study.rows import BEST_F1
from search.trial.evaluate import identity_of
from search.trial.network_steps import (
    SavedTraining,
    measure_before_training,
    out_of_memory_as_candidate_error,
    save,
    score_saved,
    train_and_save,
)
from search.trial.workbench import Workbench
from spaces.base import Candidate, CandidateError, ParamValue


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

        What is kept of it stays until `Workbench.kept` is told that the row is stored.

        Args:
            lineage: Name of the row that the network was made from.
            inherited: Whether its weights come from a wider network: BatchNorm is re-estimated first then.
            also_best_f1: Whether the epoch with the best F1 is a second row.
            params: Facts about the pruning, for the record.
            ancestors: Networks that the weights were trained as before.
            earlier_training_s: Seconds of an earlier training that count as this row's own.
            seed: Seed of this training; by default the study's.

        Raises:
            CandidateError: If the network is at fault, or its training never gets further in several takes.
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
        identity = key_of(identity=begun.identity, lineage=lineage, params=dict(params))
        with bench.kept.work_on(name, partial(bench.kept_facts, identity)) as kept:
            if reason := bench.kept.earlier_takes(name).reason_to_give_up:
                bench.kept.discard([name])  # the next run tries it again
                raise CandidateError(f"{name}: {reason}")
            watch.add(kept.seconds)
            begun = self._measured(begun, candidate, watch, kept)
            best = replace(begun, name=name + BEST_F1, identity=key_of(identity=begun.identity, epoch="best_f1"))
            if recipe is None:
                saved = save(bench, begun, candidate, watch)
            else:
                train = partial(self._train, begun, candidate, recipe, kept, inherited=inherited)
                saved = train_and_save(bench, begun, train, watch, kept, best if also_best_f1 else None)
            last = self._scored(begun, saved, watch, kept, earlier_training_s)
            if saved.best_f1 is None:
                return (last,)
            other = replace(saved, checkpoint=saved.best_f1)
            return (last, self._scored(best, other, Stopwatch(), kept))  # their one training is counted once

    def _measured(self, begun: Begun, candidate: Candidate, watch: Stopwatch, kept: KeptWork) -> Begun:
        """Return the row with what is measured before its training, now or by an earlier take."""
        plain = kept.step("measured")
        if plain is not None:
            return begun.with_measurements(measurements_of(plain))
        with out_of_memory_as_candidate_error():
            found = measure_before_training(self.bench, candidate, watch)
        kept.keep("measured", plain_figures(found), watch.seconds())
        return begun.with_measurements(found)

    def _train(self, begun: Begun, candidate: Candidate, recipe: Recipe, kept: KeptWork, *, inherited: bool) -> Trained:
        self.say(Activity(f"training {begun.name}"))
        training, teacher = self.bench.training, self.bench.parent.candidate()
        state = kept.training(partial(training.facts_of, candidate, recipe, teacher=teacher, seed=begun.seed))
        return training.train(candidate, recipe, teacher=teacher, inherited=inherited, seed=begun.seed, kept=state)

    def _scored(
        self,
        begun: Begun,
        saved: SavedTraining,
        watch: Stopwatch,
        kept: KeptWork,
        earlier_training_s: float = 0.0,
    ) -> TrialRecord:
        self.say(Activity(f"scoring {begun.name}"))
        record = score_saved(self.bench, begun, saved, watch, kept)
        seconds = watch.seconds()
        seconds["training"] = seconds.get("training", 0.0) + earlier_training_s
        return replace(record, seconds=seconds, finished=self.clock())

    def find(self, key: str) -> TrainedEntry | None:
        """Return the network that was trained under this key before; None if it or its weights are gone."""
        entry = self.bench.store.find_trained(key)
        if entry is None or entry.record.checkpoint is None or entry.record.checkpoint not in self.bench.checkpoints:
            return None
        return entry
