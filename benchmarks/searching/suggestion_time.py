"""Time of one suggestion in a study with many records, which are made up by formulas."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from benchmarks.searching.records import made_up_record
from benchmarks.variant_table.builder import TRAINING_PX, VARIANT_EPOCHS, VariantBuilder, variant_recipe
from benchmarks.variant_table.stored_table import TABLE, read_sensitivity
from objectives.base import Direction, EpochResult, Measurement
from objectives.device.target import Target
from search.latency.predictor import LatencyPredictor, fit_of
from search.latency.stored_latencies import stored_key
from search.record.trial import Outcome, TrialRecord
from search.sampler.candidate_pool import CandidatePool
from search.sampler.candidate_predictions import CandidatePredictions
from search.sampler.optuna_study import OptunaStudy
from search.sampler.registry import make_sampler
from search.store.base import Store
from search.store.entries import LatencyEntry, TargetEntry
from search.store.sql import open_store
from search.trial.plan import SearchPlan
from spaces.base import ParamValue
from spaces.networks.cost_formula import CostFormula
from spaces.structure.shape import Shape

OUR_SAMPLER, GP_SAMPLER = "front", "gp"
TIMED_SUGGESTIONS = {OUR_SAMPLER: 9, GP_SAMPLER: 3}
STOPPED_EVERY = 5
"""One trial in this many was stopped."""
REFERENCE_MS = 10.0
OBJECTIVES = (("map50_95", Direction.MAXIMIZE), ("latency_ms", Direction.MINIMIZE))
FORMULA_TARGET = Target("onnxruntime", "cpu", "fp32", TRAINING_PX, 1, 1, "a CPU", "an engine", "formulas")


def suggestion_sentence(found: Mapping[str, Any]) -> str:
    """Return the figures as a sentence."""
    (first, *ours), (gp_first, *gp) = (found["seconds"][name] for name in (OUR_SAMPLER, GP_SAMPLER))
    return (
        f"With {found['records']:,} records of {found['parameters']} parameters one suggestion takes our sampler "
        f"{np.median(ours):.2f} s and Optuna's GP {np.median(gp):.1f} s (medians of {len(ours)} and {len(gp)}); the "
        f"first one of a process, which also fits models that are fitted only rarely, takes {first:.1f} s and "
        f"{gp_first:.1f} s."
    )


@dataclass(frozen=True)
class FilledStudy:
    """A study with made-up records in a database of its own."""

    builder: VariantBuilder
    url: str

    def time_suggestions(self, records: int) -> dict[str, list[float]]:
        """Fill the study; return the seconds of each suggestion by sampler."""
        store = open_store(self.url)
        plan = SearchPlan(
            space=self.builder.space,
            starts=(),
            recipe=variant_recipe(self.builder.data, VARIANT_EPOCHS),
            searched={},
            limits={},
            seed=0,
        )
        predictions = self._fill(store, plan, records)
        seconds: dict[str, list[float]] = {}
        for name, suggestions in TIMED_SUGGESTIONS.items():
            sampler = make_sampler(name, 0, (), predictions)
            optuna = OptunaStudy(self.url, "a study", OBJECTIVES, plan.parameters, sampler)
            for _ in range(suggestions + 1):  # the first one also fits models that are fitted only rarely
                begun = time.perf_counter()
                optuna.ask()
                seconds.setdefault(name, []).append(round(time.perf_counter() - begun, 3))
        store.close()
        return seconds

    def _fill(self, store: Store, plan: SearchPlan, count: int) -> CandidatePredictions:
        study = store.freeze(store.add_study("a study", {"what": "formulas"}, OBJECTIVES), {"reference_point": [0, 9]})
        store.add_target(TargetEntry(FORMULA_TARGET.key, {}, REFERENCE_MS))
        optuna = OptunaStudy(self.url, "a study", OBJECTIVES, plan.parameters, make_sampler("random", 0))
        points = CandidatePool(plan.parameters).draw(count, (), np.random.default_rng(0))
        records = [self._record(number, point, store) for number, point in enumerate(points)]
        for record in records:
            store.add(study, record, None)
        optuna.settle(records, (), (), may_be_asking=False)
        structure = self.builder.parent.structure
        return CandidatePredictions(
            plan=plan,
            store=store,
            study=study,
            latency=LatencyPredictor(
                store=store,
                target=FORMULA_TARGET,
                reference_ms=REFERENCE_MS,
                structure=structure.key,
                fit=fit_of(structure),
            ),
            structure=structure,
            rows=[(8.0, 0.8)],
            worst=(9.0, 0.0),
            sensitivity=read_sensitivity(TABLE)[0],
        )

    @cached_property
    def _formula(self) -> CostFormula:
        return CostFormula.of(self.builder.parent)

    def _record(self, number: int, point: Mapping[str, ParamValue], store: Store) -> TrialRecord:
        """Store the latency of a point; return its record."""
        spec, _ = self.builder.space.decode(point)
        flops, whole = self._formula.costs((spec, self.builder.parent.full_spec())).flops
        size, shape = float(flops / whole), Shape.of_spec(spec, TRAINING_PX)
        ms = 1 + 7 * size
        latency = Measurement("latency_ms", ms, "ms", ratio=ms / REFERENCE_MS, target=FORMULA_TARGET.key)
        store.add_latency(LatencyEntry(stored_key(shape, FORMULA_TARGET), FORMULA_TARGET.key, latency, shape=shape))
        accuracy, last = 0.8 * size**0.3 + 0.01 * float(np.sin(number)), VARIANT_EPOCHS
        curve = tuple(EpochResult(e, accuracy * e / last, accuracy, 2 - accuracy, 1.0) for e in range(1, last + 1))
        complete = number % STOPPED_EVERY > 0 or number < 2 * STOPPED_EVERY
        return made_up_record(
            number,
            Outcome.COMPLETE if complete else Outcome.STOPPED,
            params=point,
            epochs=last,
            latency=latency,
            accuracy=accuracy,
            curve=curve if complete else curve[:2],
        )
