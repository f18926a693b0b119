"""The search on the table of variants, in short: better than multivariate TPE, and rungs that stop no front members."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.digits_table import Variants, digits_problems
from benchmarks.rungs import RULES, played
from benchmarks.search_ways import WAYS
from search.rungs import AgainstTheFront

TRAININGS, SEEDS = 40, 4


@pytest.fixture(scope="module")
def problem() -> Variants:
    return digits_problems()[0]


@pytest.fixture(scope="module")
def runs(problem: Variants) -> dict[str, list[dict[str, object]]]:
    """Simulated studies of one worker, with the default rule and with none."""
    assert isinstance(RULES["front"][0], AgainstTheFront)
    return {rule: [played(problem, rule, 1, seed) for seed in range(SEEDS)] for rule in ("front", "none")}


def test_the_table_is_what_it_says(problem: Variants) -> None:
    assert len(problem.params) >= 100
    assert len(problem.parameters) >= 20
    assert {len(curve) for curve in problem.curves} == {7}
    assert len(problem.front) >= 10
    assert 0 < problem.noise < 0.05


def test_ours_finds_more_than_multivariate_tpe(problem: Variants) -> None:
    def regret(way: str) -> float:
        return float(np.median([1 - problem.shares(WAYS[way](problem, seed, TRAININGS))[-1] for seed in range(SEEDS)]))

    assert regret("ours") < 0.75 * regret("multivariate TPE")


def test_the_default_rule_stops_no_member_of_the_front(runs: dict[str, list[dict[str, list[int]]]]) -> None:
    begun = sum(len(run["members"]) for run in runs["front"])
    lost = sum(len(run["lost"]) for run in runs["front"])
    assert begun >= 20
    assert lost <= 0.05 * begun
    assert sum(run["stopped"] for run in runs["front"]) > 0, "a rule that stops nothing loses nothing"  # type: ignore[misc]


def test_the_default_rule_spares_epochs(runs: dict[str, list[dict[str, float]]]) -> None:
    spent = {rule: np.median([run["epochs"] or np.inf for run in each]) for rule, each in runs.items()}
    assert spent["front"] < 0.9 * spent["none"]
