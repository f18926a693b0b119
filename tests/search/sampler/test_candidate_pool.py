"""Pools of points: within their ranges, on their grids, near what did well and everywhere else."""

from __future__ import annotations

import math

import numpy as np

from search.sampler.candidate_pool import EVEN_SHARES, CandidatePool, Point
from search.sampler.optuna_study import distribution_of
from spaces.base import START_LEVELS, Categorical, Float, Integer, Parameter, ParameterRole

PARAMETERS: dict[str, Parameter] = {
    "backbone": Categorical(("one", "two", "three")),
    "ratio.P3": Float(0.25, 1.0, 0.125),
    "ratio.P4": Float(0.3, 1.0),
    "recipe.lr0": Float(1e-4, 1e-1, log=True),
    "repeats.P3": Integer(0, 3),
}
POOL = CandidatePool(PARAMETERS)
GOOD: Point = {"backbone": "two", "ratio.P3": 0.5, "ratio.P4": 0.9, "recipe.lr0": 1e-2, "repeats.P3": 1}


def drawn(count: int = 500, good: tuple[Point, ...] = (GOOD,)) -> list[Point]:
    return POOL.draw(count, good, np.random.default_rng(0))


def test_every_point_is_one_that_optuna_takes() -> None:
    for name, parameter in PARAMETERS.items():
        distribution = distribution_of(parameter)
        for point in drawn():
            assert distribution._contains(distribution.to_internal_repr(point[name])), (name, point[name])


def test_no_value_is_out_of_reach() -> None:
    points = drawn(3000, ())
    assert {point["backbone"] for point in points} == {"one", "two", "three"}
    assert {point["repeats.P3"] for point in points} == {0, 1, 2, 3}
    assert len({point["ratio.P3"] for point in points}) == 7
    rates = [math.log10(float(point["recipe.lr0"])) for point in points]
    assert min(rates) < -3.9
    assert max(rates) > -1.1


def test_most_points_are_neighbours_of_what_did_well() -> None:
    near = np.abs(POOL.features(drawn()) - POOL.features([GOOD])).mean(axis=1)
    far = np.abs(POOL.features(drawn(500, ())) - POOL.features([GOOD])).mean(axis=1)
    assert np.median(near) < 0.5 * np.median(far)


def test_features_lie_between_0_and_1_and_a_category_has_a_column_for_each_option() -> None:
    features = POOL.features(drawn())
    assert features.shape == (500, POOL.columns) == (500, 7)
    assert features.min() >= 0.0
    assert features.max() <= 1.0
    assert POOL.features([GOOD])[0].tolist() == [0.0, 1.0, 0.0, (0.5 - 0.25) / 0.75, (0.9 - 0.3) / 0.7, 2 / 3, 1 / 3]


def test_equal_seeds_draw_equal_pools() -> None:
    assert drawn() == drawn()


def test_the_top_of_a_range_is_one_that_optuna_takes() -> None:
    """In binary numbers 0.1 + 2 * 0.1 is more than 0.3: Optuna would draw another value at random."""
    ratio = Float(0.1, 0.3, step=0.1)
    parameters: dict[str, Parameter] = {"ratio.P3": ratio}
    distribution = distribution_of(ratio)
    values = {float(point["ratio.P3"]) for point in CandidatePool(parameters).draw(50, [], np.random.default_rng(0))}
    values |= {ratio.at(level) for level in START_LEVELS}
    assert max(values) == 0.3
    assert all(distribution._contains(value) for value in values)


SIZED = CandidatePool(
    {
        "backbone": Categorical(("one", "two"), role=ParameterRole.DONOR),
        "wide": Float(0.25, 1.0, 0.125, role=ParameterRole.WIDTH),
        "narrow": Float(0.25, 1.0, 0.125, role=ParameterRole.WIDTH),
        "recipe.lr0": Float(1e-4, 1e-1, log=True),
    }
)
WIDER: Point = {"backbone": "two", "wide": 1.0, "narrow": 0.375, "recipe.lr0": 1e-2}


def test_a_clipped_point_is_a_cut_of_the_wider_one() -> None:
    point: Point = {"backbone": "one", "wide": 0.5, "narrow": 0.75, "recipe.lr0": 1e-3}
    assert SIZED.clipped([point], WIDER) == [{"backbone": "two", "wide": 0.5, "narrow": 0.375, "recipe.lr0": 1e-3}]
    assert SIZED.clipped([point], None) == [point]


def test_even_cuts_take_the_same_share_of_every_width() -> None:
    cuts = SIZED.even_cuts(WIDER)
    halved = cuts[EVEN_SHARES.index(0.5)]
    assert halved == {**WIDER, "wide": 0.5, "narrow": 0.25}, "no width falls below the least ratio"
    assert [cut["wide"] for cut in cuts] == sorted((cut["wide"] for cut in cuts), reverse=True)
