"""The bands of latency that a budget is divided into."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from search.trial.bands import (
    AIM,
    GAP_STEP,
    GAP_WIDTH,
    MIN_GAP,
    MIN_GAP_HEIGHT,
    SPEED_STEP,
    Bands,
    divided,
    gap_of_front,
)

BANDS = Bands(10.0)


def test_a_limit_on_latency_is_where_the_bands_begin() -> None:
    assert Bands(10.0).of(0) == pytest.approx((10.0 / SPEED_STEP**2, 10.0 / SPEED_STEP))
    assert Bands(10.0, 5.0).of(0) == pytest.approx((5.0 / SPEED_STEP, 5.0))
    assert Bands(10.0, 5.0).of(1)[1] == Bands(10.0, 5.0).of(0)[0]
    assert Bands(10.0, 9.9).of(0) == Bands(10.0).of(0)
    assert Bands(10.0, 5.0).aim(0) == pytest.approx((5.0 / AIM, 5.0)), "nothing is tried above the limit"
    assert Bands(10.0, step=1.05).aim(1) == Bands(10.0, step=1.05).of(1), "a band may be narrower"


def test_every_latency_belongs_to_a_band() -> None:
    for number in range(4):
        fastest, slowest = BANDS.of(number)
        assert BANDS.number_at(slowest, 4) == BANDS.number_at(fastest * 1.0001, 4) == number
    assert (BANDS.number_at(99.0, 4), BANDS.number_at(0.01, 4)) == (0, 3)


@pytest.mark.parametrize("epochs", [3, 11, 12, 40, 60, 224, 1000])
@pytest.mark.parametrize("repeats", [0, 1])
def test_bands_take_the_whole_budget_and_no_more(epochs: int, repeats: int) -> None:
    found = divided(epochs, 3, most=6, repeats=repeats)
    assert found.bands >= 1 and found.trials >= 1
    assert len(set(found.finalist_epochs)) == 1
    if epochs >= 60:
        again = repeats * 3
        assert epochs - 2 * found.bands <= found.epochs(3) + again <= epochs + 6


def test_the_finalist_at_a_limit_is_trained_for_twice_as_long_as_all_faster_ones() -> None:
    found = divided(400, 3, most=4, below_limit=True)
    assert found.bands == 3
    assert found.finalist_epochs[0] == pytest.approx(2 * sum(found.finalist_epochs[1:]), abs=5)
    assert found.text(3).endswith("and a finalist of 50, the first of 202; 20 trials of 3 epochs in gaps of the front")
    assert divided(120, 3, most=4, below_limit=True).bands == 1, "one long training brings more than two short ones"
    assert divided(20, 3, most=4, below_limit=True).bands == 1


def test_no_band_begins_beyond_the_narrowest_network_of_the_space() -> None:
    """On digits a band began at 2.83 times the parent's speed, where the space ended at 2.5: three trials were lost."""
    free = [10.0 / Bands.dividing(10.0, None, 2, 1.0).of(number)[1] for number in range(2)]
    assert free == pytest.approx([2.2, 2.0**1.5])
    near = [10.0 / Bands.dividing(10.0, None, 2, 3.6).of(number)[1] for number in range(2)]
    assert near == pytest.approx([2.2, 0.9 * 10.0 / 3.6]), "the first band stays where it is"
    narrow = [10.0 / Bands.dividing(10.0, None, 2, 4.0).of(number)[1] for number in range(2)]
    assert narrow[1] == pytest.approx(0.9 * 2.5) and 2.1 < narrow[0] < narrow[1]
    assert 10.0 / Bands.dividing(10.0, None, 6).of(5)[1] == pytest.approx(4.0)
    limited = Bands.dividing(10.0, 5.0, 2, 4.0)
    assert limited.of(0)[1] == 5.0 and limited.of(1)[1] == pytest.approx(4.0 / 0.9)
    assert Bands.dividing(10.0, 4.0, 2, 5.0).of(0)[1] == 4.0, "a limit that no network meets is still the limit"


def test_the_greatest_gap_of_the_front_is_filled_first() -> None:
    def target(*trained: tuple[float, float], tried_ms: Sequence[float] = (), running: int = 0) -> float:
        found = gap_of_front(trained, (20.0, 0.4), 2.0, tried_ms, running)
        assert found is not None
        assert found[1] / found[0] == pytest.approx(GAP_WIDTH)
        return math.sqrt(found[0] * found[1])

    flat, steep = [(10.0, 0.81), (4.0, 0.8)], [(10.0, 0.9), (5.0, 0.6), (2.1, 0.55)]
    assert target(*flat) == pytest.approx(4.0 / GAP_STEP), "the front ends at 4 ms; the space at 2"
    assert target(*steep) == pytest.approx(50.0**0.5), "between the two members that differ most"
    in_vain = [(7.0, 0.5), (6.0, 0.5)]
    assert target(*steep, *in_vain, tried_ms=(7.0, 6.0)) < 5.0, "it was tried in vain"
    assert target(*steep, *in_vain) > 5.0, "networks by hand do not tell that there is no better one"
    assert target(*steep, tried_ms=(9.9, 5.1)) > 5.0, "what lies next to a member fills no gap"
    assert target(*steep, running=1) != pytest.approx(target(*steep)), "workers fill different gaps"


def test_a_front_without_a_gap_is_left_as_it_is() -> None:
    near = [(2.05 * (0.99 * MIN_GAP) ** number, 0.5 + 0.01 * number) for number in range(9)]
    assert gap_of_front(near, (20.0, 0.4), 2.0) is None
    alike = [(2.05 * 1.5**number, 0.5 + 0.9 * MIN_GAP_HEIGHT * number) for number in range(5)]
    assert gap_of_front(alike, (20.0, 0.4), 2.0) is None


def test_a_small_budget_ends_with_a_front_too() -> None:
    assert divided(82, 3, most=6, repeats=1).gaps == 8, "eight, although 15 % of the epochs are four trials"
    assert divided(60, 3, most=6).gaps == 6, "at most three tenths of the epochs"
    assert divided(400, 3, most=6).gaps == 20


def test_while_a_finalist_is_trained_only_slower_gaps_are_filled() -> None:
    trained = [(10.0, 0.82), (4.0, 0.8), (3.0, 0.5)]
    anywhere, slower = (gap_of_front(trained, (20.0, 0.4), 2.0, slower_than_ms=limit) for limit in (0.0, 4.0))
    assert anywhere is not None and anywhere[1] < 4.0, "the steep part"
    assert slower is not None and 4.0 < slower[0] < slower[1] < 10.0
    assert gap_of_front(trained, (20.0, 0.4), 2.0, slower_than_ms=10.0) is None
