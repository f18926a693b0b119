"""Centre of values with its interval, by the signed-rank test. Needs only numpy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from objectives.timing.timings import Interval

EXACT = 60  # for more values the signed-rank distribution is approximated by a normal one


def centre(values: Sequence[float] | NDArray[np.float64], level: float) -> Interval:
    """Return the Hodges-Lehmann estimate, the median of all pairwise means, with the interval of the signed-rank test.

    The noise need not be normal, only symmetric; a quarter of the values may be outliers. If there are too few values
    for the level, the interval is their range.

    Source: Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, 3rd edition, 2014, chapter 3.
    """
    array = np.asarray(values, dtype=np.float64)
    first, second = np.triu_indices(len(array))
    walsh = np.sort((array[first] + array[second]) / 2)
    outside = _values_outside(len(array), level)
    return Interval(float(np.median(walsh)), float(walsh[outside]), float(walsh[-1 - outside]))


@lru_cache
def _values_outside(count: int, level: float) -> int:
    """Return the number of sorted pairwise means below the interval (and as many above)."""
    tail = (1 - level) / 2
    if count > EXACT:
        mean, spread = count * (count + 1) / 4, math.sqrt(count * (count + 1) * (2 * count + 1) / 24)
        return max(0, math.floor(mean - NormalDist().inv_cdf(1 - tail) * spread - 0.5))
    sums = np.zeros(count * (count + 1) // 2 + 1)
    sums[0] = 1.0
    for rank in range(1, count + 1):
        shifted = np.zeros_like(sums)
        shifted[rank:] = sums[:-rank]
        sums = (sums + shifted) / 2
    return max(0, int(np.searchsorted(np.cumsum(sums), tail, side="right")) - 1)
