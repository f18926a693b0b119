"""Earlier studies of the same parent and data: which of their trainings count, and that they spare trainings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from search.record.copied import named_with_study
from search.record.trial import Outcome
from search.sampler.front_sampler import FrontSampler
from search.sampler.warm_start import (
    EarlierTraining,
    KnownPoint,
    copied_points,
    earlier_trainings,
    trained_points,
)
from spaces.allocation.uniform import uniform
from spaces.base import ArchSpec, Float, ParamValue
from spaces.networks.graft import Donor
from spaces.ranking.importance import order
from spaces.search_spaces.channels import ChannelRatioSpace
from spaces.search_spaces.grafts import GraftSpace
from tests.search.sampler.problem import Problem
from tests.search.work.quick_trials import OBJECTIVES

SAME = {"parent": "p1", "data": "d1"}


def _store_study(problem: Problem, name: str, facts: dict[str, str], trials: int = 3) -> None:
    store = problem.store
    study = store.freeze(store.add_study(name, {}, OBJECTIVES), {**facts, "reference_point": [0.0, 9.0]})
    for record in problem.search(problem.optuna("random", 1, None), trials):
        store.add(study, record, None)


def test_only_complete_trials_of_the_same_parent_and_data_count(problem: Problem) -> None:
    store = problem.store
    study = store.freeze(problem.study, SAME)
    assert earlier_trainings(store, study, problem.plan) == []
    _store_study(problem, "same", SAME)
    _store_study(problem, "other data", {"parent": "p1", "data": "d2"})
    _store_study(problem, "other parent", {"parent": "p2", "data": "d1"})
    same = store.latest_study("same")
    assert same is not None
    number, params = problem.optuna("random", 7, None).ask()
    store.add(same, problem.record(number + 50, params, Outcome.STOPPED), None)
    found = earlier_trainings(store, study, problem.plan)
    assert [each.accuracy for each in found] == [r.value("map50_95") for r in store.records(same)][:3]


def test_trials_of_another_space_are_left_out(problem: Problem) -> None:
    study = problem.store.freeze(problem.study, SAME)
    _store_study(problem, "same", SAME)
    orders = order(problem.parent.as_candidate(), problem.parent)
    narrower = ChannelRatioSpace(problem.parent, orders, low=0.9, high=1.0, step=None, multiple=4)
    assert earlier_trainings(problem.store, study, replace(problem.plan, space=narrower)) == []
    more = replace(problem.plan, searched={"recipe.lr0": Float(0.1, 1.0)})
    assert earlier_trainings(problem.store, study, more) == []


def test_trials_whose_parameters_stand_for_another_network_here_are_left_out(problem: Problem) -> None:
    study = problem.store.freeze(problem.study, SAME)
    _store_study(problem, "same", SAME)
    assert len(earlier_trainings(problem.store, study, problem.plan)) == 3
    orders = order(problem.parent.as_candidate(), problem.parent)
    coarser = ChannelRatioSpace(problem.parent, orders, low=0.25, high=1.0, step=0.125, multiple=16)
    assert earlier_trainings(problem.store, study, replace(problem.plan, space=coarser)) == []


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.0, -0.15])
def test_they_spare_trainings_even_where_they_trained_for_shorter(problem: Problem, shift: float) -> None:
    random = problem.search(problem.optuna("random", 5, None), 60)
    taught = [EarlierTraining(record.params, problem.accuracy(record.params) + shift) for record in random]

    def volumes(earlier: list[EarlierTraining]) -> list[float]:
        several = [replace(problem.predictions(), earlier=earlier) for _ in range(3)]
        found = (problem.search(problem.optuna("front", seed, each), 8) for seed, each in enumerate(several))
        return [problem.volume(records) for records in found]

    assert np.median(volumes(taught)) > np.median(volumes([]))


def test_controls_that_a_trial_could_be_teach_too(problem: Problem) -> None:
    plan, structure = problem.plan, problem.parent.structure
    cut = {name: 0.5 for name in plan.parameters}
    spec, origin, recipe = plan.decode(cut)
    control = replace(
        problem.record(0, cut), number=None, name="uniform-0.5", spec=spec, origin=origin, recipe=recipe.as_plain()
    )
    elsewhere = replace(control, origin=replace(origin, layers=("a donor", *origin.layers[1:])))
    longer = replace(control, recipe=recipe.with_values(epochs=9).as_plain())
    stranger = replace(control, spec=ArchSpec("another family", ("a",), (8,), ((0, 1),)))
    off_the_grid = replace(control, spec=problem.parent.full_spec())  # kept whole where the grid is of multiples
    (found, whole) = trained_points([elsewhere, stranger, longer, control, off_the_grid], plan, structure, "map50_95")
    assert plan.decode(found.params)[0].key == spec.key
    assert (found.latency_ms, found.accuracy) == (problem.latency_ms(cut), problem.accuracy(cut))
    assert plan.decode(whole.params)[0].channel_ratio == 1
    searched = replace(plan, searched={"recipe.lr0": Float(0.1, 1.0)})
    assert trained_points([control], searched, structure, "map50_95") == []


def test_a_control_spares_the_trial_that_would_repeat_it(problem: Problem) -> None:
    taught = [KnownPoint(p, problem.latency_ms(p), problem.accuracy(p)) for p in _levels(problem)]
    predictions = replace(problem.predictions(), controls=taught)
    records = problem.search(problem.optuna("front", 0, predictions), 6)
    keys = {problem.space.decode(each.params)[0].key for each in taught}
    assert not keys & {problem.space.decode(record.params)[0].key for record in records}


def _levels(problem: Problem) -> list[dict[str, ParamValue]]:
    return [dict.fromkeys(problem.plan.parameters, level) for level in (0.25, 0.5, 0.75)]


def test_copied_trials_are_known_points_and_no_earlier_trainings(problem: Problem) -> None:
    study = problem.store.freeze(problem.study, SAME)
    _store_study(problem, "same", SAME)
    same = problem.store.latest_study("same")
    assert same is not None
    stored = [replace(each, checkpoint=f"c{each.number}") for each in problem.store.records(same)]
    rows = [replace(named_with_study(each, "same"), number=None) for each in stored[:2]]
    found = copied_points(rows, problem.plan, "map50_95")
    assert [(each.params, each.latency_ms) for each in found] == [(r.params, r.value("latency_ms")) for r in rows]
    assert copied_points([replace(row, params={}) for row in rows], problem.plan, "map50_95") == []
    assert trained_points(rows, problem.plan, problem.parent.structure, "map50_95") == []
    again = problem.store.freeze(problem.store.add_study("again", {}, OBJECTIVES), {**SAME, "reference_point": [0, 9]})
    for record in stored:
        problem.store.add(again, record, None)
    earlier = earlier_trainings(problem.store, study, problem.plan, rows)
    assert len(earlier) == 3 + 1  # those without a checkpoint, and the one of `again` that is not among the rows


def test_the_first_proposal_fills_a_gap_between_copied_trials(problem: Problem) -> None:
    ends = [problem.record(number, dict.fromkeys(problem.plan.parameters, share)) for number, share in
            enumerate((0.25, 0.375, 1.0))]  # fmt: skip
    rows = [replace(named_with_study(each, "same"), number=None) for each in ends]
    for row in rows:
        problem.measure(row.params)
    known = copied_points(rows, problem.plan, "map50_95")
    beside = tuple((each.latency_ms, each.accuracy) for each in known)
    predictions = replace(problem.predictions(rows=beside), controls=known, copied=len(known))
    proposed = FrontSampler(predictions, seed=0).propose(0, [], [], [])
    assert known[1].latency_ms < problem.latency_ms(proposed) < known[2].latency_ms


def test_whole_donors_teach_where_trials_inherit(problem: Problem) -> None:
    donor = Donor("cut", problem.parent.build(uniform(problem.parent, 0.5, 4)))
    grafts = GraftSpace(problem.parent, {"by hand": donor}, multiple=4, ratios="group")
    plan = replace(problem.plan, space=grafts, inherits=True)
    point = dict.fromkeys(plan.parameters, 1.0) | {"backbone": "by hand", "head": "by hand"}
    spec, _, _ = plan.decode(point)
    trial = problem.record(0, dict.fromkeys(problem.plan.parameters, 0.5))
    row = replace(trial, number=None, name="by hand", spec=spec, checkpoint="cut", recipe={"epochs": 800}, params={})
    structure = problem.parent.structure
    (found,) = trained_points([row], plan, structure, "map50_95")
    assert (found.params, found.accuracy, found.epochs) == (point, row.value("map50_95"), 800)
    assert trained_points([row], replace(plan, inherits=False), structure, "map50_95") == []
    assert trained_points([replace(row, checkpoint="control")], plan, structure, "map50_95") == []
