"""Present speed of the machine, measured by the reference: undisturbed, or slowed by other work. Needs only numpy.

Another virtual machine on the same processor slows everything down by 20 to 50 %, for tenths of seconds or for many
seconds. Some networks are slowed by up to 7 % more than others, so their ratios differ in such a phase. No counter of
the system shows such phases; the times of the reference do.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

REMEMBERED = 800  # number of most recent blocks that give the undisturbed speed, which drifts
LEAST_REMEMBERED = 24  # fewer blocks tell nothing, unless they are long
LEAST_LONG, LONG_S = 8, 1.0  # the same where their medians are so many seconds together: most slow phases are shorter
SLOW = 1.06  # a block that takes more than this multiple of the undisturbed time is in a slow phase
NOISE_SDS = 4.0  # or this number of standard deviations above it, if single blocks scatter widely


class ReferenceSpeed:
    """Recent times of the reference's blocks in seconds, in the order of running."""

    def __init__(self) -> None:
        self._blocks_s: deque[float] = deque(maxlen=REMEMBERED)

    def remember(self, blocks_s: Iterable[float]) -> None:
        """Add blocks of the reference."""
        self._blocks_s.extend(blocks_s)

    @property
    def known(self) -> bool:
        """True if enough blocks were observed to tell undisturbed phases from slow ones."""
        count = len(self._blocks_s)
        return count >= LEAST_REMEMBERED or (count >= LEAST_LONG and sum(self._blocks_s) >= LONG_S)

    @property
    def slow_s(self) -> float:
        """Time of a block of the reference above which the phase is slow; infinite while too few are known."""
        return slow_above(np.array(self._blocks_s)) if self.known else math.inf


def slow_above(blocks_s: NDArray[np.float64]) -> float:
    """Return the time above which a phase is slow, from blocks of the reference in the order of running.

    The fastest twentieth is undisturbed even if most blocks are not. The scatter is computed from consecutive blocks,
    because a phase is longer than a block.
    """
    scatter = 1.4826 * float(np.median(np.abs(np.diff(np.log(blocks_s))))) / math.sqrt(2)
    return float(np.quantile(blocks_s, 0.05)) * max(SLOW, math.exp(NOISE_SDS * scatter))
