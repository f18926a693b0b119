"""A study with many made-up trials in SQLite, in our tables and in Optuna's: nothing is trained or timed."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property

import numpy as np

from benchmarks.variant_table.builder import TRAINING_PX, VARIANT_EPOCHS, VariantBuilder, variant_recipe
from benchmarks.variant_table.stored_table import TABLE, read_sensitivity
from objectives.base import Curves, Direction, EpochResult, Evaluation, Measurement
from objectives.device.target import Target
from search.latency.predictor import LatencyPredictor, fit_of
from search.latency.stored_latencies import stored_key
from search.record.trial import Outcome, TrialRecord
from search.sampler.candidate_pool import CandidatePool
from search.sampler.candidate_predictions import CandidatePredictions
from search.sampler.optuna_study import OptunaStudy
from search.sampler.registry import make_sampler
from search.store.base import Store, StudyEntry
from search.store.entries import LatencyEntry, TargetEntry
from search.trial.plan import SearchPlan
from spaces.base import ParamValue
from spaces.networks.cost_formula import CostFormula
from spaces.structure.shape import Shape

MADE_OBJECTIVES = (("map50_95", Direction.MAXIMIZE), ("latency_ms", Direction.MINIMIZE))
TARGET = Target("onnxruntime", "cpu", "fp32", TRAINING_PX, 1, 1, "a CPU", "an engine", "formulas")
BASE_MS, SLOWEST_MS = 10.0, 9.0
MADE_NAME = "made up"
MADE_STOPPED_EVERY = 5
"""One trial in this many was stopped."""
CONFIDENCES = tuple(place / 100 for place in range(101))
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class MadeTrial:
    """A trial that was not run: its record, its network's shape, and its latency as it is stored."""

    record: TrialRecord
    latency: LatencyEntry


@dataclass(frozen=True)
class MadeStudy:
    """Makes up the trials of one study.

    Attributes:
        url: URL of the database.
    """

    builder: VariantBuilder
    url: str
    chance: random.Random = field(default_factory=lambda: random.Random(0))

    @cached_property
    def plan(self) -> SearchPlan:
        """The plan of the study: the graft space of the table of variants."""
        recipe = variant_recipe(self.builder.data, VARIANT_EPOCHS)
        return SearchPlan(space=self.builder.space, starts=(), recipe=recipe, searched={}, limits={}, seed=0)

    def begin(self, store: Store) -> StudyEntry:
        """Store the study, without any trial."""
        store.add_target(TargetEntry(TARGET.key, {"runtime": TARGET.runtime}, BASE_MS))
        return store.freeze(
            store.add_study(MADE_NAME, {"what": "formulas"}, MADE_OBJECTIVES), {"reference_point": [0.0, 9.0]}
        )

    def optuna(self, sampler: str = "random", predictions: CandidatePredictions | None = None) -> OptunaStudy:
        """Return the study in Optuna's tables, as a worker opens it."""
        made = make_sampler(sampler, 0, (), predictions)
        return OptunaStudy(self.url, MADE_NAME, MADE_OBJECTIVES, self.plan.parameters, made)

    def fill(self, store: Store, study: StudyEntry, count: int) -> None:
        """Store a parent and trials, in our tables and in Optuna's."""
        store.add(study, _as_parent(self.trial(0, {}).record), None)
        points = CandidatePool(self.plan.parameters).draw(count, (), np.random.default_rng(0))
        for number, point in enumerate(points):
            made = self.trial(number, point)
            store.add_latency(made.latency)
            store.add(study, made.record, None)
        self.optuna().settle(store.records(study), (), (), may_be_asking=False)

    def predictions(self, store: Store, study: StudyEntry) -> CandidatePredictions:
        """Return what a new worker's sampler knows."""
        structure = self.builder.parent.structure
        fit = fit_of(structure)
        return CandidatePredictions(
            plan=self.plan,
            store=store,
            study=study,
            latency=LatencyPredictor(
                store=store, target=TARGET, reference_ms=BASE_MS, structure=structure.key, fit=fit
            ),
            structure=structure,
            rows=[(8.0, 0.8)],
            worst=(SLOWEST_MS, 0.0),
            sensitivity=read_sensitivity(TABLE)[0],
        )

    @cached_property
    def _formula(self) -> CostFormula:
        return CostFormula.of(self.builder.parent)

    def trial(self, number: int, params: Mapping[str, ParamValue]) -> MadeTrial:
        """Make up a trial; no parameters stand for the whole parent."""
        whole = self.builder.parent.structure.full_spec
        spec, origin = self.builder.space.decode(params) if params else (whole, None)
        flops, most = self._formula.costs((spec, whole)).flops
        size, shape = float(flops / most), Shape.of_spec(spec, TRAINING_PX)
        ms = 1 + 7 * size + self.chance.uniform(0.0, 0.2)
        accuracy = 0.8 * size**0.3 + 0.01 * float(np.sin(number))
        stopped = number % MADE_STOPPED_EVERY == 0 and number >= 2 * MADE_STOPPED_EVERY
        latency = Measurement("latency_ms", ms, "ms", low=0.98 * ms, high=1.02 * ms, runs=50, ratio=ms / BASE_MS,
                              target=TARGET.key, contended=False)  # fmt: skip
        epochs = range(1, (2 if stopped else VARIANT_EPOCHS) + 1)
        curve = [EpochResult(each, accuracy * each / VARIANT_EPOCHS, accuracy, 2 - accuracy, 1.0) for each in epochs]
        begun = BEGUN + timedelta(minutes=number)
        record = TrialRecord(
            number=number,
            name=f"trial {number}",
            outcome=Outcome.STOPPED if stopped else Outcome.COMPLETE,
            reason="above the front" if stopped else "",
            params=dict(params),
            spec=spec,
            origin=origin,
            identity=f"{number:032x}",
            recipe={"epochs": VARIANT_EPOCHS, "imgsz": TRAINING_PX},
            seed=0,
            measurements=(
                Measurement("parameters", 3e6 * size),
                Measurement("flops_g", size, "GFLOPs"),
                Measurement("size_mib", 6.0 * size, "MiB"),
                Measurement("share_pruned", 1.0 - size),
                latency,
            ),
            evaluations=() if stopped else tuple(_evaluation(split, accuracy) for split in ("val", "test")),
            rungs=tuple(curve),
            constraints={"latency_ms": ms - SLOWEST_MS},
            checkpoint=None if stopped else f"{number:064x}",
            seconds={"training": 30.0, "latency": 1.0},
            started=begun,
            finished=begun + timedelta(seconds=40),
        )
        key = stored_key(shape, TARGET)
        return MadeTrial(record, LatencyEntry(key, TARGET.key, latency, (ms,) * 8, shape=shape))


def _as_parent(record: TrialRecord) -> TrialRecord:
    return replace(record, number=None, name="parent", constraints={}, identity="parent")


def _evaluation(split: str, accuracy: float) -> Evaluation:
    """Return an evaluation with its curves."""
    precision, recall = CONFIDENCES, tuple(1.0 - each**3 for each in CONFIDENCES)
    curves = Curves(CONFIDENCES, precision, recall, precision)
    return Evaluation(split, 200, accuracy, accuracy, 0.7, 0.6, 0.65, 0.5, 0.5, 0.65, 0.4, 0.7, 0.6, (accuracy,) * 10,
                      curves)  # fmt: skip
