"""The search on the table of trained variants, in short: better than multivariate TPE, and front members are trained.

Both are scored on the half of the table that nothing was chosen on. All is seeded.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.digits_table import TABLE, Variants, digits_problems, read_rows
from benchmarks.one_thread import one_thread
from benchmarks.rungs import RULES, played
from benchmarks.search_ways import WAYS
from search.rungs import AgainstTheFront, rule_named

TRAININGS = 25
SEEDS = 5
PEER_SEEDS = 2  # TPE takes half a minute each


@pytest.fixture(scope="module", autouse=True)
def calculate_with_one_thread() -> None:
    one_thread()


@pytest.fixture(scope="module")
def problem() -> Variants:
    return digits_problems()[0]


@pytest.fixture(scope="module")
def runs(problem: Variants) -> list[dict[str, Any]]:
    """Simulated studies of one worker, with the rule that a study has by default."""
    return [played(problem, "front", 1, seed) for seed in range(SEEDS)]


def test_the_table_is_what_it_says(problem: Variants) -> None:
    rows = read_rows(TABLE)
    assert len(rows) >= 500
    assert len(problem.params) >= 250
    assert len(problem.parameters) >= 20
    assert {len(curve) for curve in problem.curves} == {7}
    assert {row["number"] // 10 % 2 for row in problem.rows} == {1}
    assert {row["number"] // 10 % 2 for row in digits_problems(chosen_on=True)[0].rows} == {0}
    assert len(problem.front) >= 10


def test_ours_finds_more_than_multivariate_tpe(problem: Variants) -> None:
    def regret(way: str, seeds: int) -> float:
        drawn = [problem.drawn(seed) for seed in range(seeds)]
        runs = [each.shares(WAYS[way](each, seed, TRAININGS)) for seed, each in enumerate(drawn)]
        return float(np.median([1 - shares[-1] for shares in runs]))

    assert regret("ours", SEEDS) < regret("multivariate TPE", PEER_SEEDS) / 3


def test_the_default_rule_stops_trials_and_of_the_front_at_most_one_in_twenty(runs: list[dict[str, Any]]) -> None:
    assert rule_named("front") == RULES["front"][0] == AgainstTheFront()
    begun = sum(len(run["members"]) for run in runs)
    lost = sum(len(run["lost"]) for run in runs)
    assert begun >= 20
    assert lost <= 0.05 * begun
    assert sum(run["stopped"] for run in runs) >= 0.05 * sum(run["begun"] for run in runs)
