from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from objectives.base import Direction
from search.record.front import Front, hypervolume, knee, non_dominated

MAX, MIN = Direction.MAXIMIZE, Direction.MINIMIZE
grid = st.integers(0, 6).map(float)  # coarse, so that ties and equal points are common
directions_of = {m: st.tuples(*[st.sampled_from(Direction)] * m) for m in (2, 3)}
cases = st.sampled_from([2, 3]).flatmap(
    lambda m: st.tuples(st.lists(st.tuples(*[grid] * m), max_size=12), directions_of[m])
)
Case = tuple[list[tuple[float, ...]], tuple[Direction, ...]]


def better(a: float, b: float, direction: Direction) -> bool:
    return a > b if direction is MAX else a < b


def dominates(a: tuple[float, ...], b: tuple[float, ...], directions: tuple[Direction, ...]) -> bool:
    """By the definition: nowhere worse, somewhere better."""
    columns = list(zip(a, b, directions, strict=True))
    return not any(better(y, x, d) for x, y, d in columns) and any(better(x, y, d) for x, y, d in columns)


@given(cases)
def test_a_row_is_kept_if_and_only_if_no_other_dominates_it_and_no_earlier_equals_it(case: Case) -> None:
    values, directions = case
    expected = [
        index
        for index, row in enumerate(values)
        if not any(dominates(other, row, directions) for other in values) and row not in values[:index]
    ]
    assert list(non_dominated(values, directions)) == expected


@given(cases)
def test_the_hypervolume_counts_the_unit_cells_that_are_dominated(case: Case) -> None:
    values, directions = case
    reference = [-1.0 if direction is MAX else 7.0 for direction in directions]
    axes = [[k + 0.5 for k in range(-1, 7)] for _ in directions]  # the middles of the grid's unit cells
    dominated = sum(
        any(all(better(x, c, d) for x, c, d in zip(row, cell, directions, strict=True)) for row in values)
        for cell in itertools.product(*axes)
    )
    assert hypervolume(values, directions, reference) == pytest.approx(dominated)


@given(cases)
def test_a_front_updated_point_by_point_is_the_front_of_all_points(case: Case) -> None:
    values, directions = case
    front = Front(directions)
    for index, row in enumerate(values):
        front = front.with_point(str(index), row)
    assert sorted(front.names) == sorted(str(index) for index in non_dominated(values, directions))
    assert [row[-1] for row in front.values] == sorted(row[-1] for row in front.values)


def test_a_row_that_is_not_better_than_the_reference_point_adds_nothing() -> None:
    assert hypervolume([(0.5, 60.0)], (MAX, MIN), (0.0, 50.0)) == 0.0
    assert hypervolume([(0.5, 40.0), (0.9, 50.0)], (MAX, MIN), (0.0, 50.0)) == pytest.approx(5.0)


def test_no_rows_make_an_empty_front() -> None:
    assert non_dominated([], (MAX, MIN)) == ()
    assert hypervolume([], (MAX, MIN), (0.0, 1.0)) == 0.0


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_figures_that_are_not_finite_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="only finite figures"):
        non_dominated([(0.1, 1.0), (bad, 2.0)], (MAX, MIN))


def test_rows_of_another_length_than_the_objectives_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(1, 3\); expected \(N, 2\)"):
        non_dominated([(1.0, 2.0, 3.0)], (MAX, MIN))


def test_the_knee_is_where_the_front_bends() -> None:
    values = [(0.50, 30.0), (0.48, 12.0), (0.40, 10.0), (0.20, 9.0), (0.10, 25.0)]
    assert knee(values, (MAX, MIN)) == 1


def test_the_knee_does_not_depend_on_units_or_on_dominated_rows() -> None:
    values = [(0.50, 30.0), (0.48, 12.0), (0.40, 10.0), (0.20, 9.0)]
    scaled = [(100 * a, b / 1000) for a, b in values]
    assert knee(values, (MAX, MIN)) == knee(scaled, (MAX, MIN)) == knee([*values, (0.0, 999.0)], (MAX, MIN))


def test_a_single_row_is_its_own_knee() -> None:
    assert knee([(0.5, 3.0)], (MAX, MIN)) == 0
    with pytest.raises(ValueError, match="at least one"):
        knee([], (MAX, MIN))
