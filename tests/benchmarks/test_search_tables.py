"""The search on the table of trained variants, in short: better than multivariate TPE, and front members are trained.

Both are scored on the half of the table that no constant was chosen on. All random numbers have seeds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from optuna.distributions import FloatDistribution
from optuna.samplers import RandomSampler

from benchmarks.searching.digits_table import DELAY_LIMIT, VariantProblem, digits_problems
from benchmarks.searching.methods import (
    MAX_INTEGER_VALUES,
    SEARCH_METHODS,
    SLOW_MAX_REPEATED,
    distributions_by_rank,
    optuna_method,
)
from benchmarks.searching.table_figures import table_figures
from benchmarks.setup.one_thread import use_one_thread
from benchmarks.stopping.rules import COMPARED_RULES, FRONT_RULE, simulate_study
from benchmarks.variant_table.stored_table import TABLE, read_rows
from search.trial.front_rule import FrontRule
from search.trial.stopping_rules import rule_named

TRAININGS = 25
SEEDS = 5
TPE_SEEDS = 2  # TPE takes half a minute each


@pytest.fixture(scope="module", autouse=True)
def calculate_with_one_thread() -> None:
    use_one_thread()


@pytest.fixture(scope="module")
def problem() -> VariantProblem:
    return digits_problems()[0]


@pytest.fixture(scope="module")
def runs(problem: VariantProblem) -> list[dict[str, Any]]:
    """Simulated studies of one worker, with the rule that a study has by default."""
    return [simulate_study(problem, FRONT_RULE, 1, seed) for seed in range(SEEDS)]


def test_the_table_is_what_it_says(problem: VariantProblem) -> None:
    rows = read_rows(TABLE)
    assert len(rows) >= 500
    assert len(problem.params) >= 250
    assert len(problem.parameters) >= 20
    assert {len(curve) for curve in problem.curves} == {7}
    assert {row["number"] // 10 % 2 for row in problem.rows} == {1}
    assert {row["number"] // 10 % 2 for row in digits_problems(tuning_half=True)[0].rows} == {0}
    assert len(problem.front) >= 10


def test_trainings_that_other_work_delayed_do_not_count_in_full(problem: VariantProblem) -> None:
    recorded = np.array([sum(each.seconds for each in curve[1:]) for curve in problem.curves])
    assert recorded.max() > 50 * np.median(recorded)
    assert problem.training_seconds.max() <= DELAY_LIMIT * np.median(recorded)
    kept = recorded <= DELAY_LIMIT * np.median(recorded)
    assert (problem.training_seconds[kept] == recorded[kept]).all() and kept.mean() > 0.8


def test_a_method_that_ends_early_is_compared_at_its_end() -> None:
    seconds, short = [float(at) for at in range(1, 61)], [0.5, 0.7, 0.9]
    runs = {
        ("digits", "ours", 0): {"shares": [0.8, 0.9, *[0.99] * 58], "seconds": seconds},
        ("digits", "short", 0): {"shares": short, "seconds": [10.0, 20.0, 30.0]},
        ("digits", "long", 0): {"shares": [*[0.5] * 49, 0.8, *[1.0] * 10], "seconds": seconds},
    }
    figures = table_figures(runs)["digits"]
    assert figures["short"]["regret"] == pytest.approx(0.1)
    assert figures["short"]["times_ours"] == [15.0]  # 0.9: after 30 s, and after 2
    assert figures["long"]["regret"] == pytest.approx(0.2)  # after fifty, not at its end
    assert figures["long"]["times_ours"] == [50.0]


def test_a_slow_sampler_gets_long_ranges_as_real_numbers_and_random_detectors_when_it_repeats_itself(
    problem: VariantProblem,
) -> None:
    drawn = problem.draw(0)
    ranges = distributions_by_rank(drawn, MAX_INTEGER_VALUES)
    numbers = [name for name, values in drawn.choices.items() if not isinstance(values[0], str)]
    assert numbers and all(isinstance(ranges[name], FloatDistribution) for name in numbers)
    suggested: list[int] = []

    class Repeating(RandomSampler):
        """Suggests the same detector every time."""

        def sample_independent(self, *args: Any) -> Any:
            self._rng.rng.seed(0)
            suggested.append(1)
            return super().sample_independent(*args)

    order = optuna_method(lambda seed: Repeating(seed), slow=True)(drawn, 0, 4)
    assert len(set(order)) == 4
    assert len(suggested) == (1 + 3 * SLOW_MAX_REPEATED) * len(drawn.choices)


@pytest.mark.slow
def test_ours_finds_more_than_multivariate_tpe(problem: VariantProblem) -> None:
    def regret(method: str, seeds: int) -> float:
        drawn = [problem.draw(seed) for seed in range(seeds)]
        runs = [
            each.hypervolume_shares(SEARCH_METHODS[method](each, seed, TRAININGS)) for seed, each in enumerate(drawn)
        ]
        return float(np.median([1 - shares[-1] for shares in runs]))

    assert regret("ours", SEEDS) < regret("multivariate TPE", TPE_SEEDS) / 3


@pytest.mark.slow
def test_the_default_rule_stops_trials_and_of_the_front_at_most_one_in_twenty(runs: list[dict[str, Any]]) -> None:
    assert rule_named("front") == COMPARED_RULES[FRONT_RULE][0] == FrontRule()
    begun = sum(len(run["members"]) for run in runs)
    lost = sum(len(run["lost"]) for run in runs)
    assert begun >= 20
    assert lost <= 0.05 * begun
    assert sum(run["stopped"] for run in runs) >= 0.05 * sum(run["begun"] for run in runs)
