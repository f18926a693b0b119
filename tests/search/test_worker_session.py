"""What a worker decides before it searches."""

from __future__ import annotations

import pytest

from search.workbench import Plan
from search.worker_session import fewest_epochs, is_cheap
from spaces.base import Categorical, Integer, Parameter
from tests.search.test_sampler_front import Problem, parent, problem

__all__ = ["parent", "problem"]  # fixtures


def test_what_is_looked_at_beforehand_is_small_beside_what_is_trained_on() -> None:
    halvings = 2 * 64 * 51
    assert is_cheap(halvings, trained_on=30 * 3 * 512)  # the built-in data, 30 trials of three epochs
    assert not is_cheap(halvings, trained_on=2 * 1 * 512)  # two trials of one
    assert not is_cheap(halvings, trained_on=0)


@pytest.mark.parametrize(
    ("searched", "fewest"),
    [({}, 3), ({"recipe.epochs": Integer(2, 6)}, 2), ({"recipe.epochs": Categorical((8, 4))}, 4)],
)
def test_of_epochs_that_are_searched_the_fewest_count(
    problem: Problem, searched: dict[str, Parameter], fewest: int
) -> None:
    plan = problem.plan
    assert fewest_epochs(Plan(plan.space, (), plan.recipe, searched, {}, 0)) == fewest
