"""Proposals within a band of latency: they are measured, and replaced if they miss it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from optuna import create_study
from optuna.distributions import IntDistribution
from optuna.samplers import RandomSampler
from optuna.trial import create_trial

from search.sampler.budgeted import BudgetedSampler, BudgetState
from search.study.budget import Budget
from search.trial.spending import Spending
from tests.search.sampler.problem import Problem
from tests.search.sampler.test_budgeted import CHOOSER, EPOCHS, BudgetedSearch


@pytest.mark.parametrize(
    ("measured_ms", "taken"),
    [
        ([4.5, 9.0], 0),  # within the band
        ([7.0, 6.0, 4.5], 2),  # each is nearer to it
        ([3.0, 4.5], 1),
        ([7.0, 7.2, 4.5], 2),  # one that is no nearer may be by chance
        ([7.0, 7.2, 7.1, 4.5], 0),  # two: the band may be out of reach
        ([9.9, 9.0, 8.0, 7.0, 6.5, 6.0, 4.5], 5),  # it is given up
    ],
)
def test_a_proposal_whose_latency_misses_the_band_is_replaced(
    problem: Problem, measured_ms: list[float], taken: int
) -> None:
    class Numbered(RandomSampler):
        """Proposes 0, 1, 2, ..."""

        count = 0

        def sample_relative(self, *_: object) -> dict[str, Any]:
            self.count += 1
            return {"number": self.count - 1}

    predictions = replace(
        problem.predictions(), band=(4.0, 5.0), measure_latency=lambda point: measured_ms[int(point["number"])]
    )
    state = BudgetState(problem.store, problem.study, Spending(Budget(epochs=90), frozenset(), EPOCHS), CHOOSER)
    sampler = BudgetedSampler(Numbered(), state, {"number": IntDistribution(0, 9)}, predictions)
    study = create_study(directions=["maximize", "minimize"])
    trial = create_trial(values=[0.5, 5.0])
    assert sampler.sample_relative(study, trial, {}) == {"number": taken}


@pytest.mark.parametrize("name", ["random", "tpe", "nsga2"])
def test_a_sampler_that_draws_each_parameter_by_itself_keeps_to_a_budget(problem: Problem, name: str) -> None:
    search = BudgetedSearch(problem, Budget(epochs=60), rate=0.02, sampler=name)
    records = search.run()
    assert 60 - 10 <= sum(each.epochs for each in records) <= 60
