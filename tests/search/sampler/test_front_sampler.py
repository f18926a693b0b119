"""Our sampler behind Optuna's interface: a real space, a real store; accuracy and latency from formulas."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from objectives.base import Direction
from search.record.trial import Outcome
from search.sampler.candidate_pool import Point
from search.sampler.candidate_predictions import CandidatePredictions
from search.sampler.front_sampler import COARSE_TO_FINE, MIN_TRAINED, SCREENED, FrontSampler
from search.sampler.registry import make_sampler
from search.trial.reference_point import MISSED_BY, USELESS_SHARE, worst_point
from search.trial.trained_networks import WiderNetwork
from spaces.base import Categorical, ParamValue
from spaces.networks.graft import Donor
from spaces.search_spaces.grafts import GraftSpace
from spaces.search_spaces.repeats import RepeatsSpace
from tests.search.sampler.problem import WORST_MS, Problem


@pytest.mark.slow
def test_it_finds_more_in_25_trials_than_multivariate_tpe(problem: Problem) -> None:
    ours = [
        problem.volume(problem.search(problem.optuna("front", seed, problem.predictions()), 25)) for seed in range(3)
    ]
    tpe = [problem.volume(problem.search(problem.optuna("tpe", seed, None), 25)) for seed in range(3)]
    assert min(ours) > max(tpe)


@pytest.mark.slow
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
    donors = {name: Donor(name, problem.parent.as_candidate()) for name in ("round-1", "round-2")}
    grafts = GraftSpace(problem.parent, donors, multiple=4, ratios="group")
    assert replace(told, plan=replace(problem.plan, space=grafts)).hints == []


def test_the_loss_increase_does_not_cover_bottlenecks(problem: Problem, told: CandidatePredictions) -> None:
    structure = problem.parent.structure
    deep = RepeatsSpace(problem.space, structure, [repeat.name for repeat in structure.repeats])
    depth = replace(told, plan=replace(problem.plan, space=deep))
    (point, *_) = deep.start_points()
    assert depth.loss_increases([point]) is None
    assert depth.hints == told.hints


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


def test_proposals_keep_to_the_band_of_latency_that_is_searched(problem: Problem, told: CandidatePredictions) -> None:
    told.band = (3.0, 4.0)
    sampler = FrontSampler(told, seed=0)
    _, pool = sampler.new_points([], [])
    assert pool is not None and len(pool.latency) > 10
    assert pool.latency.min() > 3.0 and pool.latency.max() <= 4.0
    first = sampler.propose(0, [], [], [])
    increases = told.loss_increases([first, *(point for point in sampler.new_points([], [])[0])])
    assert increases is not None and increases[0] < np.quantile(increases, 0.25), "a cut that loses little"
    told.band = (0.1, 0.2)  # no network is as fast
    assert len(sampler.new_points([], [])[0]) > 100


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


def test_of_the_first_cuts_the_one_with_the_smallest_measured_loss_is_trained(
    problem: Problem, told: CandidatePredictions
) -> None:
    asked: dict[tuple[ParamValue, ...], float] = {}

    def measure(point: Point, wider: WiderNetwork | None) -> float:
        asked[tuple(point.values())] = 0.8 - problem.accuracy(point)
        return asked[tuple(point.values())]

    predictions = replace(told, plan=replace(problem.plan, inherits=True), measure_loss=measure)
    latencies = []
    for number in range(len(COARSE_TO_FINE)):
        asked.clear()
        point = FrontSampler(predictions, seed=3).propose(number, [], [], [])
        assert len(asked) == SCREENED
        assert asked[tuple(point.values())] == min(asked.values())
        latencies.append(problem.latency_ms(point))
    assert latencies == sorted(latencies, reverse=True), "from wide to narrow"


def test_a_candidate_is_measured_once_and_the_measurement_is_learnt_from(problem: Problem) -> None:
    asked: list[tuple[ParamValue, ...]] = []

    def measure(point: Point, wider: WiderNetwork | None) -> float:
        asked.append(tuple(point.values()))
        return 10.0 * (0.8 - problem.accuracy(point))

    predictions = replace(problem.predictions(), plan=replace(problem.plan, inherits=True), measure_loss=measure)
    problem.search(problem.optuna("front", 1, predictions), 7)
    trained = 7 - MIN_TRAINED  # these are proposed by the model, each after some candidates are screened
    assert len(asked) == len(set(asked))
    assert len(asked) >= trained * (SCREENED - 1)


def test_networks_far_below_the_parent_are_worth_nothing_where_trials_inherit(problem: Problem) -> None:
    parent = replace(problem.record(0, dict.fromkeys(problem.plan.parameters, 1.0)), number=None, name="parent")
    reached = parent.value("map50_95")
    assert reached is not None
    inherits = replace(problem.plan, inherits=True)
    assert worst_point(problem.study, problem.plan, [parent]) == (WORST_MS, 0.0)
    assert worst_point(problem.study, inherits, [parent]) == (WORST_MS, USELESS_SHARE * reached)
    asked = replace(inherits, at_least={"map50_95": -0.01})
    assert worst_point(problem.study, asked, [parent])[1] == pytest.approx(reached - 0.01 - MISSED_BY)
