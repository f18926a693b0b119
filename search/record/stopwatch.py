"""Stopwatch for the seconds of a trial by phase, and the present time. Seconds outside of all phases are `other`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

PHASES = ("data", "build", "latency", "training", "evaluation", "proposal", "database", "other")
"""Phases of a record's `seconds`, in the order of display. `proposal` is the time in which a trial was chosen."""

Clock = Callable[[], datetime]
"""Function that returns the present time, timezone-aware."""


def utc_now() -> datetime:
    """Return the present time in UTC."""
    return datetime.now(UTC)


class Stopwatch:
    """Sums of wall seconds by phase. The time of a phase inside another one counts only for the inner phase."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun = clock()
        self._spent: dict[str, float] = {}
        self._inner: list[float] = []  # for each open phase the seconds that inner phases took

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the seconds of the block to the phase `name`, without those of phases inside the block."""
        start = self._clock()
        self._inner.append(0.0)
        try:
            yield
        finally:
            elapsed = self._clock() - start
            own = elapsed - self._inner.pop()
            self._spent[name] = self._spent.get(name, 0.0) + own
            if self._inner:
                self._inner[-1] += elapsed

    def add(self, seconds: Mapping[str, float]) -> None:
        """Add seconds by phase that another process spent on the same work."""
        self._begun -= sum(seconds.values())
        for name, value in seconds.items():
            if name != "other":  # what is left of the total
                self._spent[name] = self._spent.get(name, 0.0) + value

    def seconds(self) -> dict[str, float]:
        """Return the wall seconds so far by phase; those outside of all phases are `other`."""
        total = self._clock() - self._begun
        spent = {name: self._spent.get(name, 0.0) for name in PHASES if name != "other"}
        extra = {name: value for name, value in self._spent.items() if name not in spent}
        return {**spent, **extra, "other": max(0.0, total - sum(self._spent.values()))}
