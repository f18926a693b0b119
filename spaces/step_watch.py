"""Watch over the work of another process: how long it has made no progress, and whether that means that it hangs."""

from __future__ import annotations

import time
from collections.abc import Callable

LEAST_HUNG_AFTER_S = 600.0
"""Minimum number of seconds without progress after which a process counts as hung, if the user sets no time."""
TIMES_SLOWEST = 10.0
"""Number of times that a process may take longer than its slowest step so far, if the user sets no time."""
LONGEST_LOOK_S = 5.0
"""Maximum number of seconds that one look adds: the watching process may have been stopped itself (Ctrl-Z)."""


class StepWatch:
    """Time since the last step of a process. Only the time in which the watching process ran too is counted.

    Args:
        steps: Returns what changes with each step of the process, such as their number.
        hung_after_s: Seconds without a step after which it counts as hung; None for ten times its slowest step, at
            least ten minutes.
        longest_look_s: Maximum number of seconds that one look adds; more than the usual time between two looks.
        monotonic: Returns seconds that never go back.
    """

    def __init__(
        self,
        steps: Callable[[], object],
        hung_after_s: float | None = None,
        longest_look_s: float = LONGEST_LOOK_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._steps, self._hung_after_s, self._monotonic = steps, hung_after_s, monotonic
        self._longest_look_s = longest_look_s
        self._seen, self._looked, self._slowest_s = steps(), monotonic(), 0.0
        self.idle_s = 0.0

    @property
    def limit_s(self) -> float:
        """Seconds without a step after which the process counts as hung."""
        if self._hung_after_s is not None:
            return self._hung_after_s
        return max(LEAST_HUNG_AFTER_S, TIMES_SLOWEST * self._slowest_s)

    def hangs(self) -> bool:
        """Look at the process. Return whether it counts as hung."""
        now, steps = self._monotonic(), self._steps()
        self.idle_s += min(now - self._looked, self._longest_look_s)
        self._looked = now
        if steps != self._seen:
            self._slowest_s = max(self._slowest_s, self.idle_s)
            self._seen, self.idle_s = steps, 0.0
        return self.idle_s > self.limit_s

    def begin_again(self, steps: Callable[[], object]) -> None:
        """Watch another process, which takes the place of this one. The slowest step is remembered."""
        self._steps = steps
        self._seen, self._looked, self.idle_s = steps(), self._monotonic(), 0.0
