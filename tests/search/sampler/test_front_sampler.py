"""Our sampler behind Optuna's interface: a real space, a real store; accuracy and latency from formulas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pytest

from objectives.base import Direction, EpochResult, Measurement
from objectives.recipe import Recipe
from search.latency.predictor import LatencyPredictor, fit_of
from search.record.staircase import Staircase
from search.record.trial import Outcome, TrialRecord
from search.sampler.candidate_predictions import CandidatePredictions
from search.sampler.front_sampler import FrontSampler
from search.sampler.optuna_study import OptunaStudy
from search.sampler.registry import make_sampler
from search.store.base import Store, StudyEntry
from search.store.entries import LatencyEntry, TargetEntry
from search.store.sql import open_store
from search.trial.workbench import Plan
from spaces.allocation.summed_sensitivity import SummedSensitivity
from spaces.base import Categorical, Parameter, ParamValue
from spaces.networks.cost_formula import CostFormula
from spaces.networks.parent import Parent
from spaces.ranking.importance import order
from spaces.search_spaces.channels import ChannelRatioSpace
from spaces.structure.shape import Shape
from tests.objectives.networks import half_width_parent
from tests.search.latency.test_local import TARGET
from tests.search.store.contract_latencies import LATENCY
from tests.search.work.quick_trials import OBJECTIVES, _score

REFERENCE_MS, WORST_MS = 10.0, 9.0
PX = 96


@pytest.fixture(scope="module")
def parent() -> Parent:
    return half_width_parent(("a", "b"), imgsz=PX)


class Problem:
    """A space of one ratio a group. Latency goes with FLOPs; accuracy with the widths, of later groups most."""

    def __init__(self, parent: Parent, store: Store) -> None:
        self.formula = CostFormula.of(parent)
        orders = order(parent.as_candidate(), parent)
        self.space = ChannelRatioSpace(parent, orders, low=0.25, high=1.0, step=0.125, multiple=4)
        self.plan = Plan(self.space, (), Recipe(epochs=3, imgsz=PX), {}, {}, 0)
        self.store, self.parent = store, parent
        study = store.add_study("front", {"what": "formulas"}, OBJECTIVES)
        self.study: StudyEntry = store.freeze(study, {"reference_point": [0.0, WORST_MS]})
        store.add_target(TargetEntry(TARGET.key, {}, REFERENCE_MS))

    def latency_ms(self, params: Mapping[str, ParamValue]) -> float:
        spec, _ = self.space.decode(params)
        flops, whole = self.formula.costs((spec, self.parent.full_spec())).flops
        return 2.0 + 6.0 * float(flops / whole)

    def accuracy(self, params: Mapping[str, ParamValue]) -> float:
        spec, _ = self.space.decode(params)
        ratios = np.array([len(kept) / width for kept, width in zip(spec.kept, spec.widths, strict=True)])
        weights = np.linspace(0.2, 1.0, len(ratios)) ** 3
        return 0.8 - 0.6 * float(np.exp(-2.5 * ratios @ weights / weights.sum()))

    def measure(self, params: Mapping[str, ParamValue]) -> None:
        """As a trial does before it is trained."""
        spec, _ = self.space.decode(params)
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

    def optuna(self, name: str, seed: int, predictions: CandidatePredictions | None) -> OptunaStudy:
        sampler = make_sampler(name, seed, (), predictions)
        return OptunaStudy("sqlite://", f"{name} {seed}", OBJECTIVES, self.plan.parameters, sampler)

    def record(self, number: int, params: Mapping[str, ParamValue], outcome: Outcome = Outcome.COMPLETE) -> TrialRecord:
        ms, accuracy = self.latency_ms(params), self.accuracy(params)
        spec, origin = self.space.decode(params)
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


@pytest.fixture
def problem(parent: Parent) -> Iterator[Problem]:
    store = open_store("sqlite://")
    made = Problem(parent, store)
    made.measure({name: 1.0 for name in made.plan.parameters})  # the parent's latency is known from the start
    yield made
    store.close()


def test_it_finds_more_in_25_trials_than_multivariate_tpe(problem: Problem) -> None:
    ours = [
        problem.volume(problem.search(problem.optuna("front", seed, problem.predictions()), 25)) for seed in range(3)
    ]
    tpe = [problem.volume(problem.search(problem.optuna("tpe", seed, None), 25)) for seed in range(3)]
    assert min(ours) > max(tpe)


@pytest.fixture
def told(problem: Problem) -> CandidatePredictions:
    """Predictions with the loss increase when each layer is halved."""
    groups = problem.parent.structure.groups
    weights = np.linspace(0.2, 1.0, len(groups)) ** 3
    sensitivity = SummedSensitivity(
        [each.width for each in groups], [[index] for index in range(len(groups))], weights.tolist()
    )
    return replace(problem.predictions(), sensitivity=sensitivity)


def test_a_sensitivity_analysis_saves_trainings(problem: Problem, told: CandidatePredictions) -> None:
    """Two groups in three do not matter here; without the analysis that has to be learnt from trials."""
    volumes = [
        problem.volume(problem.search(problem.optuna("front", 0, each), 10)) for each in (told, problem.predictions())
    ]
    assert volumes[0] > volumes[1]
    hints = [problem.space.decode(hint)[0].channel_ratio for hint in told.hints]
    assert hints == sorted(hints, reverse=True)
    assert hints[0] > 0.9
    assert hints[-1] < 0.5
    assert problem.predictions().hints == []
    first = problem.search(problem.optuna("front", 1, told), 3)
    assert [problem.space.decode(each.params)[0].is_whole for each in first] == [False] * 3
    latencies = [each.value("latency_ms") or 0.0 for each in first]
    assert latencies[2] < latencies[0] < latencies[1]  # the middle, then slower, then faster


def test_workers_that_begin_at_once_begin_at_different_latencies(problem: Problem, told: CandidatePredictions) -> None:
    """Each asks while the others' parameters are not in the database yet."""
    sampler = FrontSampler(told, seed=0)
    asked = [problem.latency_ms(sampler.propose(number, [], [], [])) for number in range(4)]
    assert asked[2] < asked[0] < asked[3] < asked[1]


def test_the_loss_increase_covers_neither_image_sizes_nor_donors(problem: Problem, told: CandidatePredictions) -> None:
    point = {name: 0.5 for name in problem.plan.parameters}
    assert told.loss_increases([point]) is not None
    searched = {"recipe.imgsz": Categorical((64, 96))}
    sizes = replace(told, plan=replace(problem.plan, searched=searched))
    assert sizes.loss_increases([{**point, "recipe.imgsz": 64}]) is None
    assert sizes.hints == told.hints
    assert replace(told, plan=_OfDonors(**vars(problem.plan))).hints == []


class _OfDonors(Plan):
    """As if each trial also chose a donor."""

    @property
    def parameters(self) -> dict[str, Parameter]:
        return {"backbone": Categorical(("round-1", "round-2")), **super().parameters}


def test_equal_seeds_ask_for_the_same(problem: Problem) -> None:
    first, second = (
        [record.params for record in problem.search(problem.optuna("front", 4, problem.predictions()), 6)]
        for _ in range(2)
    )
    assert first[:1] == second[:1]  # later ones depend on what was measured meanwhile


def test_a_network_that_was_tried_is_not_asked_for_again(problem: Problem) -> None:
    records = problem.search(problem.optuna("front", 0, problem.predictions()), 20)
    keys = [problem.space.decode(record.params)[0].key for record in records]
    assert len(set(keys)) == len(keys)


def test_a_limit_is_kept_without_anything_being_ruled_out(problem: Problem) -> None:
    records = problem.search(problem.optuna("front", 0, problem.predictions(limit_ms=5.0)), 15)
    assert sum((record.value("latency_ms") or 0.0) <= 5.2 for record in records) >= 13


def test_where_nothing_is_within_the_limit_the_fastest_is_asked_for(problem: Problem) -> None:
    predictions = problem.predictions(limit_ms=0.1)
    problem.search(problem.optuna("random", 0, None), 5)  # latencies to predict by
    points, pool = FrontSampler(predictions, seed=0).new_points([], [])
    assert pool is not None
    (ms,) = pool.latency
    wide = FrontSampler(problem.predictions(), seed=0).new_points([], [])[1]
    assert wide is not None
    assert len(points) == 1
    assert ms == wide.latency.min()


def test_what_is_slower_than_the_limit_has_no_value(problem: Problem) -> None:
    assert FrontSampler(problem.predictions(limit_ms=5.0), 0).slowest_ms == pytest.approx(5.0, rel=0.01)
    assert FrontSampler(problem.predictions(limit_ms=50.0), 0).slowest_ms == WORST_MS


def test_workers_that_ask_at_once_ask_for_different_networks(problem: Problem) -> None:
    optuna = problem.optuna("front", 0, problem.predictions())
    problem.search(optuna, 8)
    asked = [optuna.ask()[1] for _ in range(4)]
    latencies = sorted(problem.latency_ms(params) for params in asked)
    assert len({problem.space.decode(params)[0].key for params in asked}) == 4
    assert latencies[-1] - latencies[0] > 0.3


def test_stopped_trials_teach_the_accuracy_that_their_curves_predicted(problem: Problem) -> None:
    predictions = problem.predictions()
    for record in problem.search(problem.optuna("random", 0, None), 12):
        problem.store.add(problem.study, record, None)
    assert predictions.stopped_trials() == []
    params = problem.optuna("random", 9, None).ask()[1]
    problem.store.add(problem.study, problem.record(12, params, Outcome.STOPPED), None)
    (known,) = predictions.stopped_trials()
    assert known.latency_ms == pytest.approx(problem.latency_ms(params))
    assert known.accuracy == pytest.approx(problem.accuracy(params), abs=0.02)  # the curves are of one kind
    assert 0 < known.variance < 0.05**2
    by_map50 = replace(problem.study, objectives=(("map50", Direction.MAXIMIZE), *problem.study.objectives[1:]))
    assert replace(predictions, study=by_map50).stopped_trials() == []  # a curve predicts mAP50-95


def test_without_what_it_needs_front_is_tpe() -> None:
    assert type(make_sampler("front", 0)) is type(make_sampler("tpe", 0))
