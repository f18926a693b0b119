"""Promises of every sampler. A test of a sampler subclasses this and says its name in studies."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence

import pytest

from search.sampler.candidate_pool import Point
from search.sampler.registry import sampler_named
from search.store.sql import open_store
from spaces.base import Categorical, Integer, Parameter, ParamValue
from spaces.networks.parent import Parent
from tests.search.sampler.problem import PX, Problem

SEARCHED: dict[str, Parameter] = {"recipe.imgsz": Categorical((64, PX)), "recipe.epochs": Integer(1, 9, 2)}
"""Beside the ratios of channels: a parameter of each other kind."""

TRIALS = 12


def asked(parent: Parent, name: str, *, seed: int, trials: int = TRIALS, starts: Sequence[Point] = ()) -> list[Point]:
    """The points of a study's first trials, each measured, stored and told before the next is asked for."""
    store = open_store("sqlite://")
    problem = Problem(parent, store, SEARCHED)
    problem.measure(_level(problem, 1.0))
    predictions = problem.predictions() if sampler_named(name).uses_predictions else None
    records = problem.search(problem.optuna(name, seed, predictions, starts), trials)
    store.close()
    return [record.params for record in records]


def is_valid(parameter: Parameter, value: ParamValue) -> bool:
    """Return whether a value is one of the options, or a number in the range and on the grid."""
    if isinstance(parameter, Categorical):
        return value in parameter.options
    if isinstance(value, str) or not parameter.low <= value <= parameter.high:
        return False
    steps = 0.0 if parameter.step is None else (value - parameter.low) / parameter.step
    return abs(steps - round(steps)) < 1e-9  # floats: 0.1 + 2 * 0.1 is not 0.3


def _level(problem: Problem, level: float) -> dict[str, ParamValue]:
    """A start point that leaves the recipe to the sampler's first choice."""
    ratios = dict.fromkeys(problem.space.parameters, level)
    return {**ratios, "recipe.imgsz": PX, "recipe.epochs": 3}


class SamplerContract(ABC):
    """Promises of `SamplerFactory`, as tests.

    Attributes:
        name: The sampler's name in studies.
    """

    name: str

    @pytest.fixture(scope="class")
    @classmethod
    def points(cls, parent: Parent) -> list[Point]:
        return asked(parent, cls.name, seed=3)

    def test_points_are_valid_in_the_space(self, parent: Parent, points: list[Point]) -> None:
        problem = Problem(parent, open_store("sqlite://"), SEARCHED)
        parameters = problem.plan.parameters
        assert len(points) == TRIALS
        for point in points:
            assert point.keys() == parameters.keys()
            assert all(is_valid(parameters[name], value) for name, value in point.items())
            problem.plan.decode(point)
        problem.store.close()

    def test_equal_seeds_give_equal_proposals(self, parent: Parent, points: list[Point]) -> None:
        assert asked(parent, self.name, seed=3) == points

    def test_another_seed_gives_other_proposals(self, parent: Parent, points: list[Point]) -> None:
        assert asked(parent, self.name, seed=4, trials=3) != points[:3]

    def test_start_points_come_first(self, parent: Parent) -> None:
        problem = Problem(parent, open_store("sqlite://"), SEARCHED)
        starts = [_level(problem, level) for level in (0.75, 0.25)]
        problem.store.close()
        first = asked(parent, self.name, seed=3, trials=3, starts=starts)
        assert first[:2] == starts
        assert first[2] not in starts

    def test_a_network_is_not_proposed_twice_by_those_that_promise_it(
        self, parent: Parent, points: list[Point]
    ) -> None:
        problem = Problem(parent, open_store("sqlite://"), SEARCHED)
        keys = {tuple(part.key for part in problem.plan.decode(point)) for point in points}
        problem.store.close()
        assert len(keys) == TRIALS or not sampler_named(self.name).never_repeats
