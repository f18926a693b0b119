"""The bands of latency that a budget is divided into."""

from __future__ import annotations

import pytest

from search.trial.bands import SPEED_STEP, Bands, divided

BANDS = Bands(10.0)


def test_a_limit_on_latency_is_where_the_bands_begin() -> None:
    assert Bands(10.0).of(0) == pytest.approx((10.0 / SPEED_STEP**2, 10.0 / SPEED_STEP))
    assert Bands(10.0, 5.0).of(0) == pytest.approx((5.0 / SPEED_STEP, 5.0))
    assert Bands(10.0, 5.0).of(1)[1] == Bands(10.0, 5.0).of(0)[0]
    assert Bands(10.0, 9.9).of(0) == Bands(10.0).of(0)
    assert Bands(10.0, 5.0).before(0) == Bands(10.0, 5.0).of(0), "nothing is tried above the limit"
    assert Bands(10.0, 5.0).before(1)[0] > Bands(10.0, 5.0).of(1)[1]


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
    assert list(found.finalist_epochs) == sorted(found.finalist_epochs), "more was cut, more is to be learnt"
    if epochs >= 60:
        again = repeats * 3
        assert epochs - 2 * found.bands <= found.epochs(3) + again <= epochs + 6


def test_the_finalist_at_a_limit_is_trained_for_twice_as_long_as_all_faster_ones() -> None:
    found = divided(200, 3, most=4, below_limit=True)
    assert found.bands == 3
    assert found.finalist_epochs[0] == pytest.approx(2 * sum(found.finalist_epochs[1:]), abs=5)
    assert found.text(3).endswith("and a finalist of 27, the first of 109")
    assert divided(20, 3, most=4, below_limit=True).bands == 1


def test_no_band_begins_beyond_the_narrowest_network_of_the_space() -> None:
    """On digits a band began at 2.83 times the parent's speed, where the space ended at 2.5: three trials were lost."""
    free = [10.0 / Bands.dividing(10.0, None, 2, 1.0).of(number)[1] for number in range(2)]
    assert free == pytest.approx([8.0 ** (3 / 8), 2.0**1.5])
    near = [10.0 / Bands.dividing(10.0, None, 2, 4.0).of(number)[1] for number in range(2)]
    assert near[1] == pytest.approx(0.9 * 2.5) and 1.8 < near[0] < near[1]
    assert 10.0 / Bands.dividing(10.0, None, 6).of(5)[1] == pytest.approx(4.0)
    limited = Bands.dividing(10.0, 5.0, 2, 4.0)
    assert limited.of(0)[1] == 5.0 and limited.of(1)[1] == pytest.approx(4.0 / 0.9)
    assert Bands.dividing(10.0, 4.0, 2, 5.0).of(0)[1] == 4.0, "a limit that no network meets is still the limit"
