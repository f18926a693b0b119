"""A search problem for samplers: a real space, a real store; accuracy and latency from formulas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from objectives.base import EpochResult, Measurement
from objectives.recipe import Recipe
from search.latency.predictor import LatencyPredictor, fit_of
from search.record.staircase import Staircase
from search.record.trial import Outcome, TrialRecord
from search.sampler.candidate_pool import Point
from search.sampler.candidate_predictions import CandidatePredictions
from search.sampler.optuna_study import OptunaStudy
from search.sampler.registry import make_sampler
from search.store.base import Store, StudyEntry
from search.store.entries import LatencyEntry, TargetEntry
from search.trial.plan import SearchPlan
from spaces.base import Parameter, ParamValue, Space
from spaces.networks.cost_formula import CostFormula
from spaces.networks.parent import Parent
from spaces.ranking.importance import order
from spaces.search_spaces.channels import ChannelRatioSpace
from spaces.structure.shape import Shape
from tests.search.latency.test_local import TARGET
from tests.search.store.contract_latencies import LATENCY
from tests.search.work.quick_trials import OBJECTIVES, _score

REFERENCE_MS, WORST_MS = 10.0, 9.0
PX = 96


class Problem:
    """A space, by default of one ratio a group. Latency goes with FLOPs; accuracy with widths, of later groups most."""

    def __init__(
        self,
        parent: Parent,
        store: Store,
        searched: Mapping[str, Parameter] | None = None,
        space: Space | None = None,
    ) -> None:
        self.formula = CostFormula.of(parent)
        orders = order(parent.as_candidate(), parent)
        ratios = ChannelRatioSpace(parent, orders, low=0.25, high=1.0, step=0.125, multiple=4)
        self.space: Space = ratios if space is None else space
        self.plan = SearchPlan(
            space=self.space,
            starts=(),
            recipe=Recipe(epochs=3, imgsz=PX),
            searched=searched or {},
            limits={},
            seed=0,
        )
        self.store, self.parent = store, parent
        study = store.add_study("front", {"what": "formulas"}, OBJECTIVES)
        self.study: StudyEntry = store.freeze(study, {"reference_point": [0.0, WORST_MS]})
        store.add_target(TargetEntry(TARGET.key, {}, REFERENCE_MS))

    def latency_ms(self, params: Mapping[str, ParamValue]) -> float:
        spec, _, _ = self.plan.decode(params)
        flops, whole = self.formula.costs((spec, self.parent.full_spec())).flops
        return 2.0 + 6.0 * float(flops / whole)

    def accuracy(self, params: Mapping[str, ParamValue]) -> float:
        spec, _, _ = self.plan.decode(params)
        ratios = np.array([len(kept) / width for kept, width in zip(spec.kept, spec.widths, strict=True)])
        weights = np.linspace(0.2, 1.0, len(ratios)) ** 3
        return 0.8 - 0.6 * float(np.exp(-2.5 * ratios @ weights / weights.sum()))

    def measure(self, params: Mapping[str, ParamValue]) -> None:
        """As a trial does before it is trained."""
        spec, _, _ = self.plan.decode(params)
        shape, ms = Shape.of_spec(spec, PX), self.latency_ms(params)
        measured = replace(LATENCY, value=ms, ratio=ms / REFERENCE_MS, target=TARGET.key)
        self.store.add_latency(LatencyEntry(shape.key, TARGET.key, measured, shape=shape))

    def predictions(
        self, rows: tuple[tuple[float, float], ...] = (), limit_ms: float | None = None
    ) -> CandidatePredictions:
        worst, structure = (WORST_MS, 0.0), self.parent.structure
        latency = LatencyPredictor(
            store=self.store, target=TARGET, reference_ms=REFERENCE_MS, structure=structure.key, fit=fit_of(structure)
        )
        return CandidatePredictions(
            plan=self.plan, store=self.store, study=self.study, latency=latency, structure=structure,
            rows=rows, worst=worst, limit_ms=limit_ms,
        )  # fmt: skip

    def optuna(
        self, name: str, seed: int, predictions: CandidatePredictions | None, starts: Sequence[Point] = ()
    ) -> OptunaStudy:
        sampler = make_sampler(name, seed, starts, predictions)
        return OptunaStudy("sqlite://", f"{name} {seed}", OBJECTIVES, self.plan.parameters, sampler)

    def record(self, number: int, params: Mapping[str, ParamValue], outcome: Outcome = Outcome.COMPLETE) -> TrialRecord:
        ms, accuracy = self.latency_ms(params), self.accuracy(params)
        spec, origin, _ = self.plan.decode(params)
        curve = tuple(
            EpochResult(e, accuracy * (0.4 + 0.2 * e), accuracy, 2.0 - accuracy * e / 3, 1.0) for e in (1, 2, 3)
        )
        complete = outcome is Outcome.COMPLETE
        return TrialRecord(
            number, f"trial {number}", outcome, "" if complete else "stopped", dict(params), spec, origin,
            f"{number}", {"epochs": 3}, 0, (Measurement("latency_ms", ms, "ms"),),
            (_score(accuracy),) if complete else (), curve if complete else curve[:1],
        )  # fmt: skip

    def search(self, optuna: OptunaStudy, trials: int) -> list[TrialRecord]:
        records = []
        for _ in range(trials):
            number, params = optuna.ask()
            self.measure(params)
            records.append(self.record(number, params))
            optuna.tell(records[-1])
        return records

    def volume(self, records: list[TrialRecord]) -> float:
        latency, accuracy = np.array([(r.value("latency_ms"), r.value("map50_95")) for r in records], dtype=float).T
        return Staircase.of(latency, accuracy, WORST_MS, 0.0).hypervolume
