"""Width steps: the rule on scripted curves, and the repetitions until the result is decided."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from objectives.timing.width_steps import COARSE, FINE, TWICE, WIDTHS, WidthSteps, find_multiple, settle

Latency = Callable[[int], float]


def staircase(step: int) -> Latency:
    """Return latencies of a convolution with channels padded to the next multiple: the work grows with their square."""
    return lambda width: 0.1 + (step * math.ceil(width / step) / 64) ** 2


def slope(width: int) -> float:
    return 0.1 + (width / 64) ** 2


def measured(latency: Latency, *, spread: float = 0.02, seed: int = 0, most: int = 100) -> tuple[WidthSteps, list[int]]:
    """Return the result on a target with that latency, if measurements vary and there is time for `most` of them."""
    random, asked = np.random.default_rng(seed), []

    def time_width(width: int) -> float:
        asked.append(width)
        return latency(width) * float(1 + spread * random.standard_normal())

    _, found = settle(time_width, lambda: len(asked) >= most)
    return found, asked


def answers(latency: Latency, spread: float) -> Counter[int | None]:
    return Counter(measured(latency, spread=spread, seed=seed, most=75)[0].multiple for seed in range(15))


@pytest.mark.parametrize("step", [2, 4, 8, 16, 32, 64])
def test_the_step_of_a_clean_staircase_is_found(step: int) -> None:
    found, asked = measured(staircase(step), spread=0.0)
    assert found.multiple == step
    assert len(asked) == len(WIDTHS) + len(TWICE)  # nothing was repeated


def test_a_clean_slope_needs_no_multiple() -> None:
    assert measured(slope, spread=0.0)[0].multiple == 1


def test_penalties_are_one_up_to_the_step_and_about_zero_beyond() -> None:
    found, _ = measured(staircase(8), spread=0.0)
    values = {penalty.multiple: penalty.value.median for penalty in found.penalties if penalty.value}
    # 0.1: the minimum spread that is assumed moves the median of the draws by so much
    assert [values[multiple] for multiple in (2, 4, 8)] == pytest.approx([1, 1, 1], abs=0.1)
    # a parabola lies below its chord: half way up costs less than half, by 0.07 from 96 to 128 and 0.17 from 64 to 128
    assert all(-0.25 < values[multiple] < 0.05 for multiple in (16, 32, 64))


@pytest.mark.parametrize("step", [8, 16, 32])
def test_the_step_is_found_in_the_noise_of_a_loaded_machine(step: int) -> None:
    found = answers(staircase(step), spread=0.03)
    assert set(found) <= {step, None}
    assert found[step] >= 13  # of 15; the interval is a 95 % one


@pytest.mark.parametrize("step", [2, 4])
def test_small_steps_are_found_or_left_open_but_never_wrong(step: int) -> None:
    assert set(answers(staircase(step), spread=0.03)) <= {step, None}


def test_a_slope_is_not_mistaken_for_a_staircase() -> None:
    assert set(answers(slope, spread=0.03)) <= {1, None}


@pytest.mark.parametrize("latency", [staircase(8), slope])
def test_noise_larger_than_the_steps_leaves_the_result_open(latency: Latency) -> None:
    found = answers(latency, spread=0.3)
    assert found[None] >= 12  # of 15; up to six intervals of 95 % are checked in each


def test_an_open_result_names_its_multiple_and_penalty() -> None:
    found, _ = measured(slope, spread=0.3)
    assert found.multiple is None
    assert "is open: penalty" in found.reason


def test_latency_that_does_not_depend_on_the_width_leaves_the_result_open() -> None:
    found, _ = measured(lambda width: 1.0)
    assert found.multiple is None
    assert "does not reliably rise" in found.reason


def test_odd_widths_that_cost_more_than_the_next_multiple_are_a_staircase_too() -> None:
    """As in onnxruntime, which has another kernel for widths that are not multiples of 4."""
    found, _ = measured(lambda width: staircase(4)(width) * (1.0 if width % 4 == 0 else 1.3))
    assert found.multiple == 4
    assert found.penalties[0].value is not None
    assert found.penalties[0].value.low > 1


def test_the_same_curve_gives_the_same_result() -> None:
    curve = {width: [slope(width), 1.02 * slope(width)] for width in WIDTHS}
    assert find_multiple(curve) == find_multiple(curve)


def test_only_widths_that_leave_the_result_open_are_measured_again() -> None:
    everything = len(WIDTHS) + len(TWICE)
    _, asked = measured(lambda width: 1.0, most=everything + 6)  # flat: open from the greatest multiple on
    assert asked[everything:] == [64, 96, 128] * 2


def test_when_time_is_up_the_coarse_widths_still_find_a_coarse_step() -> None:
    found, asked = measured(staircase(16), most=0)
    assert asked == [*COARSE, *TWICE]
    assert found.multiple == 16


def test_when_time_is_up_a_fine_step_is_left_open() -> None:
    found, _ = measured(staircase(4), spread=0.0, most=0)
    assert found.multiple is None
    assert "nothing smaller was timed" in found.reason


def test_every_width_is_measured_once_and_multiples_of_4_before_the_odd_ones() -> None:
    assert sorted((*COARSE, *FINE)) == list(WIDTHS)
    assert FINE.index(76) < FINE.index(50) < FINE.index(49)


def test_a_curve_without_a_width_half_way_is_refused() -> None:
    with pytest.raises(ValueError, match="no three widths"):
        find_multiple({64: [1.0, 1.0], 80: [1.5]})


def test_a_curve_that_was_measured_only_once_is_refused() -> None:
    with pytest.raises(ValueError, match="no width was loaded twice"):
        find_multiple({64: [1.0], 72: [1.5], 80: [1.5]})
