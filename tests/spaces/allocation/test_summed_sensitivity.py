"""Loss increase of several cuts together, from the loss increase of each alone."""

from __future__ import annotations

import numpy as np
import pytest

from spaces.allocation.sensitivity import SensitivityMap
from spaces.allocation.summed_sensitivity import HALVING_EXPONENT, MIN_SHARE, NARROW, SummedSensitivity
from spaces.structure.groups import ChannelGroup


def group(name: str, width: int, tie: str | None = None) -> ChannelGroup:
    return ChannelGroup(name, width, "backbone", 3, tie, ())


GROUPS = [group("a", 64), group("b", 32), group("c", 16, "pair"), group("d", 16, "pair"), group("e", 8)]
WHOLE = [64, 32, 16, 16, 8]
MAP = SensitivityMap("loss", 2.0, (0.5, 0.75), {"a": (2.4, 2.1), "b": (2.1, 2.0), "pair": (2.2, 2.0), "e": (2.0, 2.0)})


@pytest.fixture
def sensitivity() -> SummedSensitivity:
    return SummedSensitivity.of(MAP, GROUPS, multiple=8)


def test_halving_one_group_gives_the_measured_loss_increase(sensitivity: SummedSensitivity) -> None:
    halved = [[32, 32, 16, 16, 8], [64, 16, 16, 16, 8], [64, 32, 8, 8, 8]]
    assert sensitivity.total(halved).tolist() == pytest.approx([0.4, 0.1, 0.2])


def test_loss_increases_add_up_and_grow_with_every_halving(sensitivity: SummedSensitivity) -> None:
    together, quarter = sensitivity.total([[32, 16, 8, 8, 8], [16, 32, 16, 16, 8]])
    assert together == pytest.approx(0.7)
    assert quarter == pytest.approx(0.4 * 2**HALVING_EXPONENT)
    assert sensitivity.total([WHOLE]).tolist() == [0.0]


def test_a_group_too_small_to_be_halved_has_the_median_sensitivity(sensitivity: SummedSensitivity) -> None:
    assert sensitivity.total([[64, 32, 16, 16, 4]]).tolist() == pytest.approx([0.2])


def test_a_group_measured_wider_than_half_is_corrected_for() -> None:
    wide = [group("a", 24)]
    found = SummedSensitivity.of(SensitivityMap("loss", 1.0, (0.5,), {"a": (1.3,)}), wide, multiple=8)
    assert found.total([[16]]).tolist() == pytest.approx([0.3])  # half of 24 is 12, rounded to 16
    assert found.total([[12]])[0] > 0.3


def test_every_group_has_a_minimum_loss_increase() -> None:
    useless = SensitivityMap("loss", 2.0, (0.5,), {"a": (1.9,), "b": (2.1,), "pair": (2.1,), "e": (2.0,)})
    found = SummedSensitivity.of(useless, GROUPS, multiple=8)
    assert found.total([[32, 32, 16, 16, 8]])[0] == pytest.approx(MIN_SHARE * 0.1)


def test_groups_are_cut_to_equal_loss_increases(sensitivity: SummedSensitivity) -> None:
    shares = sensitivity.evenly(0.5)
    widths = np.array(WHOLE) * shares
    alone = [sensitivity.total([[*WHOLE[:i], widths[i], *WHOLE[i + 1 :]]])[0] for i in (0, 1, 4)]
    assert alone == pytest.approx([alone[0]] * 3)
    assert shares[2] == shares[3] == pytest.approx(0.5)  # its sensitivity is the median
    assert shares[1] < shares[2] < shares[0] < 1
    assert (sensitivity.evenly(0.25) < shares).all()


def test_a_map_without_the_half_is_refused() -> None:
    with pytest.raises(ValueError, match=r"0\.5"):
        SummedSensitivity.of(SensitivityMap("loss", 2.0, (0.25,), {"a": (2.4,)}), GROUPS[:1], multiple=8)


def test_a_group_that_is_halved_for_nothing_may_be_needed_when_it_is_narrow() -> None:
    measured = SensitivityMap(
        "loss", 2.0, (NARROW, 0.5), {"a": (2.9, 2.01), "b": (2.3, 2.1), "pair": (2.2, 2.2), "e": (2.0, 2.0)}
    )
    found = SummedSensitivity.of(measured, GROUPS, multiple=4)
    alone = found.total([[32, 32, 16, 16, 8], [8, 32, 16, 16, 8], [64, 4, 16, 16, 8]])
    assert alone.tolist() == pytest.approx([0.01, 0.9, 0.3])
    extrapolated = SummedSensitivity.of(
        SensitivityMap("loss", 2.0, (0.5,), {name: values[1:] for name, values in measured.values.items()}),
        GROUPS,
        multiple=4,
    )
    assert extrapolated.total([[8, 32, 16, 16, 8]])[0] < 0.1
    assert found.evenly(0.3)[0] > extrapolated.evenly(0.3)[0], "it is cut less"
