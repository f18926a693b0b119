"""Every second of a trial is counted once."""

from __future__ import annotations

import pytest

from search.record.stopwatch import Stopwatch


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_inner_phase_takes_its_time_from_the_outer_one() -> None:
    clock = _Clock()
    watch = Stopwatch(clock)
    with watch.phase("training"):
        clock.now += 5
        with watch.phase("database"):
            clock.now += 2
    clock.now += 1
    seconds = watch.seconds()
    assert (seconds["training"], seconds["database"], seconds["other"]) == (5, 2, 1)
    assert sum(seconds.values()) == pytest.approx(clock.now)


def test_time_counts_when_the_block_raises() -> None:
    clock = _Clock()
    watch = Stopwatch(clock)
    with pytest.raises(ValueError, match="lost"), watch.phase("training"):
        clock.now += 3
        raise ValueError("lost")
    assert watch.seconds()["training"] == 3
