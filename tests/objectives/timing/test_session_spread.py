"""The spread of latencies between sessions: what it is taken for, what re-measurements tell, and intervals with it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from objectives.timing.session_spread import HALF_OF_SD, RESOLUTION_MS, SHARE, USUAL_SPREAD, SessionSpread, usual_sd
from objectives.timing.timings import Interval


def test_short_networks_spread_more() -> None:
    assert usual_sd(300.0) == pytest.approx(SHARE, rel=1e-3)
    assert usual_sd(0.3) == pytest.approx(math.hypot(SHARE, RESOLUTION_MS / 0.3))
    assert usual_sd(0.3) > 3 * SHARE


def test_without_remeasurements_the_spread_is_the_usual_one() -> None:
    assert SessionSpread.observed([]) == SessionSpread.observed([[4.0], [5.0]]) == USUAL_SPREAD


@pytest.mark.parametrize("factor", [0.3, 1.0, 3.0])
def test_many_remeasurements_tell_the_spread_of_this_machine(factor: float) -> None:
    random = np.random.default_rng(0)
    latencies = [ms * np.exp(factor * usual_sd(ms) * random.standard_normal(6)) for ms in (0.3, 1.0, 4.0, 30.0) * 25]
    assert SessionSpread.observed(map(list, latencies)).factor == pytest.approx(factor, rel=0.1)


def test_few_remeasurements_change_it_little() -> None:
    assert 1.0 < SessionSpread.observed([[4.0, 4.4]]).factor < 2.0
    assert 0.9 < SessionSpread.observed([[4.0, 4.0]]).factor < 1.0


def test_the_interval_contains_both_causes_of_error() -> None:
    found = USUAL_SPREAD.across_sessions(Interval(2.0, 2.0 / 1.02, 2.0 * 1.02), 10.0)
    assert found.median == 2.0
    reach = math.hypot(math.log(1.02), HALF_OF_SD * usual_sd(20.0))
    assert (found.low, found.high) == pytest.approx((2.0 * math.exp(-reach), 2.0 * math.exp(reach)))
    single = USUAL_SPREAD.across_sessions(Interval(2.0, 0.0, math.inf), 10.0)
    assert (single.low, single.high) == (0.0, math.inf), "one loading tells nothing"
