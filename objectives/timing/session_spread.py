"""Spread of a network's latency between sessions: other processes, hours and loads. Needs only numpy.

Loadings of a file in one process differ less than two measurements of it: the layout in memory of the whole process,
the temperature and the neighbours on the machine are the same for all of them. So an interval that follows from the
loadings of one measurement is too narrow for the next measurement; this spread is added to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from objectives.timing.timings import Interval

SHARE = 0.015
"""Standard deviation of a latency between sessions, as a share of it, before re-measurements are known."""
RESOLUTION_MS = 0.015
"""Standard deviation in ms that is added to it, for what clock and caches change in networks of less than 1 ms."""
WEIGHT = 8.0
"""Number of re-measurements that the two values above count for, beside those that were made on a target."""
HALF_OF_SD = 1.96
"""Half of a 95 % interval in standard deviations."""


@dataclass(frozen=True)
class SessionSpread:
    """Spread of latencies on one target.

    Attributes:
        factor: Observed standard deviation, as a multiple of the usual one.
    """

    factor: float = 1.0

    @classmethod
    def observed(cls, latencies_ms: Iterable[Sequence[float]]) -> SessionSpread:
        """Return the spread that re-measurements of the same networks show.

        The usual standard deviation counts as much as `WEIGHT` re-measurements: the estimate is the mean of a
        scaled inverse chi-squared posterior (Gelman et al., Bayesian Data Analysis, section 2.6).

        Args:
            latencies_ms: For each network all of its latencies in ms, one for each measurement.
        """
        squares, count = WEIGHT, WEIGHT
        for repeated in latencies_ms:
            if len(repeated) > 1:
                logs = np.log(np.asarray(repeated, dtype=np.float64))
                squares += float(((logs - logs.mean()) ** 2).sum()) / usual_sd(float(np.median(repeated))) ** 2
                count += len(repeated) - 1
        return cls(math.sqrt(squares / count))

    def sd(self, latency_ms: float) -> float:
        """Return the standard deviation of a latency between sessions, as a share of it."""
        return self.factor * usual_sd(latency_ms)

    def across_sessions(self, ratio: Interval, reference_ms: float) -> Interval:
        """Return the 95 % interval of a ratio in any session, from the interval within one session.

        Args:
            ratio: Ratio to the reference, with the interval that follows from the loadings of one measurement.
            reference_ms: Time of the reference in ms.
        """
        between = HALF_OF_SD * self.sd(ratio.median * reference_ms)
        low, high = (
            math.hypot(between, math.log(end / ratio.median)) if 0.0 < end < math.inf else math.inf
            for end in (ratio.low, ratio.high)
        )
        return Interval(ratio.median, ratio.median * math.exp(-low), ratio.median * math.exp(high))


def usual_sd(latency_ms: float) -> float:
    """Return the standard deviation of a latency between sessions, as a share of it, before any was re-measured."""
    return math.hypot(SHARE, RESOLUTION_MS / latency_ms)


USUAL_SPREAD = SessionSpread()
