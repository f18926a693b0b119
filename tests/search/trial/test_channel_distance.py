"""The distance of a trained network from one that is asked for: channels that it lacks count three times."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from search.trial.trained_networks import distance
from spaces.base import ArchSpec


def spec_of(*kept: Sequence[int], dropped: tuple[str, ...] = ()) -> ArchSpec:
    return ArchSpec("parent", ("a", "b"), (4, 8), tuple(tuple(each) for each in kept), dropped)


@pytest.mark.parametrize(
    "trained, expected",
    [
        (spec_of((0, 1), (0, 1, 2, 3)), 0.0),
        (spec_of((0, 1, 2), (0, 1, 2, 3)), 1 / 4),  # one channel more, which would be cut
        (spec_of((0,), (0, 1, 2, 3)), 3 / 4),  # one channel is missing
        (spec_of((1, 2), (0, 1, 2, 3, 4)), 3 / 4 + 1 / 4 + 1 / 8),
        (spec_of((0, 1), (0, 1, 2, 3), dropped=("m",)), 3.0),
    ],
)
def test_missing_channels_count_three_times(trained: ArchSpec, expected: float) -> None:
    assert distance(spec_of((0, 1), (0, 1, 2, 3)), trained) == pytest.approx(expected)
