"""Seconds of a trial by phase, and the present time. Seconds outside of every phase are `other`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

PHASES = ("data", "build", "latency", "training", "evaluation", "database", "other")
"""The phases of a record's `seconds`, in the order in which they are shown."""

Clock = Callable[[], datetime]
"""Returns the present time, timezone-aware."""


def utc_now() -> datetime:
    """Return the present time in UTC."""
    return datetime.now(UTC)


class Stopwatch:
    """Adds up wall seconds by phase. Phases do not nest: the inner one takes its time from the outer one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun = clock()
        self._spent: dict[str, float] = {}
        self._inner: list[float] = []  # for each open phase the seconds that inner phases took

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count the seconds of the block for the phase `name`, without those of phases inside it."""
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

    def seconds(self) -> dict[str, float]:
        """Return the wall seconds so far by phase; those outside of every phase are `other`."""
        total = self._clock() - self._begun
        spent = {name: self._spent.get(name, 0.0) for name in PHASES if name != "other"}
        extra = {name: value for name, value in self._spent.items() if name not in spent}
        return {**spent, **extra, "other": max(0.0, total - sum(self._spent.values()))}
