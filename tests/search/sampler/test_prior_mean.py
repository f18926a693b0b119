"""The prior mean: what it learns from finished studies, which of them count, and that it is shipped."""

from __future__ import annotations

import tomllib
from dataclasses import replace

import numpy as np
import pytest

from search.record.trial import Outcome, TrialRecord
from search.sampler.front_sampler import FrontSampler
from search.sampler.prior_mean import (
    MIN_TRAININGS,
    PUBLIC_TABLES,
    FinishedStudy,
    NetworkSizes,
    PriorMean,
    fit_prior_mean,
    largest_px_of,
    prior_of_public_tables,
    prior_of_studies,
    sizes_of,
)
from search.trial.plan import SearchPlan
from spaces.base import Categorical
from tests.search.sampler.problem import Problem
from tests.search.work.quick_trials import OBJECTIVES
from tests.tree import ROOT

IMGSZ = {"recipe.imgsz": Categorical((64, 96))}
OTHER = {"parent": "p2", "data": "d2"}


def sizes(count: int, seed: int, families: tuple[str, ...] = ("a", "b")) -> NetworkSizes:
    random = np.random.default_rng(seed)
    return NetworkSizes(random.uniform(-1.0, 0.0, (count, 3)), random.choice(families, count).tolist())


def accuracy(networks: NetworkSizes, offset: float, scale: float) -> np.ndarray:
    depth, width, imgsz = networks.logarithms.T
    better = np.array([0.3 if family == "b" else 0.0 for family in networks.families])
    reached: np.ndarray = offset + scale * (0.3 * depth + width - 0.5 * width**2 + 1.5 * imgsz + better)
    return reached


def learnt() -> PriorMean:
    taught = [(sizes(80, 0), 0.6, 0.1), (sizes(60, 1), 0.3, 0.02)]
    return fit_prior_mean([FinishedStudy(each, accuracy(each, *form)) for each, *form in taught])


def test_studies_of_other_offsets_and_scales_teach_one_form() -> None:
    unseen = sizes(200, 2)
    assert np.corrcoef(learnt().expect(unseen), accuracy(unseen, 0.8, 0.2))[0, 1] > 0.99


def test_longer_training_is_not_mistaken_for_an_effect_of_size() -> None:
    networks = sizes(80, 0)
    longer = 3.0 + 2.0 * networks.logarithms[:, 0]  # deeper networks were trained for longer
    longer += 0.3 * np.random.default_rng(1).standard_normal(80)
    reached = accuracy(networks, 0.6, 0.1) + 0.3 * longer
    told, not_told = (fit_prior_mean([FinishedStudy(networks, reached, each)]) for each in (longer, None))
    assert told.terms[0] < 0.5 * not_told.terms[0]


def test_a_family_that_is_not_known_has_no_effect() -> None:
    prior, networks = learnt(), sizes(5, 3)
    unknown = prior.expect(networks._replace(families=["c"] * 5))
    assert unknown == pytest.approx(prior.expect(networks._replace(families=())))
    assert prior.families["b"] > prior.families["a"]


def test_it_is_stored_with_a_name_for_each_coefficient() -> None:
    prior = replace(learnt(), source="two studies")
    plain = prior.as_plain()
    again = PriorMean.of_plain(plain)
    assert plain["terms"].keys() >= {"depth", "width * imgsz", "imgsz * imgsz"}
    assert again.terms == pytest.approx(prior.terms, abs=1e-4)
    assert again.source == "two studies"


def test_the_form_of_the_public_tables_is_shipped_and_names_its_licence() -> None:
    prior = prior_of_public_tables()
    assert "Apache-2.0" in prior.source and "arXiv 2307.13901" in prior.source
    assert len(prior.families) == 8
    larger = NetworkSizes(np.log([[0.33, 0.25, 0.5], [0.33, 0.5, 1.0]]))
    assert np.diff(prior.expect(larger))[0] > 0
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel == {
        "packages": ["yolofront", "search", "objectives", "spaces", "studies"]
    }  # whole folders, without a filter
    assert (ROOT / "search" / "sampler" / PUBLIC_TABLES).is_file()


def sized(problem: Problem) -> SearchPlan:
    """The plan of the problem's study, which searches image size too."""
    return replace(problem.plan, searched=IMGSZ)


def trained(problem: Problem, number: int, random: np.random.Generator) -> TrialRecord:
    """A trial of uniform width: narrower is less accurate, and so are smaller images."""
    share, px = float(random.choice([0.25, 0.5, 0.75, 1.0])), int(random.choice([64, 96]))
    record = problem.record(number, dict.fromkeys(problem.plan.parameters, share))
    score = replace(record.evaluations[0], map50_95=0.5 + 0.2 * np.log(share) + 0.4 * np.log(px / 96))
    return replace(record, recipe={"epochs": 3, "imgsz": px}, evaluations=(score,))


def finish_study(problem: Problem, name: str, facts: dict[str, str], trials: int) -> None:
    store, random = problem.store, np.random.default_rng(len(name))
    study = store.freeze(store.add_study(name, {}, OBJECTIVES), {**facts, "reference_point": [0.0, 9.0]})
    for number in range(trials):
        store.add(study, trained(problem, number, random), None)
    store.add(study, replace(trained(problem, trials, random), outcome=Outcome.FAILED, evaluations=()), None)


def test_the_finished_studies_of_other_parents_and_data_are_learnt_from(problem: Problem) -> None:
    study = problem.store.freeze(problem.study, {"parent": "p1", "data": "d1"})
    assert prior_of_studies(problem.store, study, sized(problem)) is None
    finish_study(problem, "alike", {"parent": "p1", "data": "d1"}, MIN_TRAININGS)
    finish_study(problem, "first", OTHER, MIN_TRAININGS // 2)
    assert prior_of_studies(problem.store, study, sized(problem)) is None
    finish_study(problem, "second", OTHER, MIN_TRAININGS // 2)
    prior = prior_of_studies(problem.store, study, sized(problem))
    assert largest_px_of(sized(problem)) == 96 and largest_px_of(problem.plan) == problem.plan.recipe.imgsz
    assert prior is not None and prior.source == "2 studies of the database"
    specs = [problem.plan.decode(dict.fromkeys(problem.plan.parameters, share))[0] for share in (0.5, 0.5, 1.0)]
    small, wide, widest = prior.expect(sizes_of(specs, [64, 96, 96], largest_px_of(sized(problem))))
    assert small < wide < widest


def test_where_no_size_is_searched_nothing_changes(problem: Problem) -> None:
    study = problem.store.freeze(problem.study, {"parent": "p1", "data": "d1"})
    finish_study(problem, "other", OTHER, MIN_TRAININGS)
    assert prior_of_studies(problem.store, study, problem.plan) is None


def test_a_dropped_bottleneck_makes_a_network_less_deep(problem: Problem) -> None:
    whole = problem.parent.full_spec()
    name = problem.parent.repeats[0].name
    shallow = problem.parent.structure.spec(whole.kept, (name,))
    depth = sizes_of([whole, shallow], [96, 96], 96).logarithms[:, 0]
    assert depth[0] == 0 and depth[1] < 0


def test_proposals_follow_it_from_the_first_trial(problem: Problem) -> None:
    problem.plan = sized(problem)
    whole = {**dict.fromkeys(problem.space.parameters, 1.0), "recipe.imgsz": 96}
    problem.measure(whole)

    def larger_images(coefficient: float) -> int:
        prior = PriorMean((0.0, 1.0, coefficient, *[0.0] * 6))
        sampler = FrontSampler(replace(problem.predictions(), prior=prior), seed=0)
        return sum(sampler.propose(number, [], [], [])["recipe.imgsz"] == 96 for number in range(6))

    assert larger_images(9.0) > 3 > larger_images(-9.0)
    predictions = replace(problem.predictions(), prior=learnt())
    assert len(problem.search(problem.optuna("front", 0, predictions), 6)) == 6
