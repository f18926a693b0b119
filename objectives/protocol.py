"""In which order a network and the reference are run: the measuring protocol. Needs numpy alone.

After a change of network the first runs are slower, by 15 to 20 % in the first and nothing after some 20 ms: caches
fill anew. So a block is the same few runs for every network, and each block of the network lies between two of the
reference: what is slow then is slow for both. Both are loaded several times, because a file that is loaded again
runs up to 1 % faster or slower for as long as it stays loaded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from objectives.timings import LEAST_LOADINGS, Block, Loading, Timings

Run = Callable[[], None]
Load = Callable[[], Run]
Clock = Callable[[], tuple[float, float]]
"""Seconds of CPU time and of wall time, from any beginning."""

LOADINGS = 6  # of a network: fewer have no useful interval
MOST_LOADINGS = 8  # looked at once before, since each look is a chance to stop too early
REFERENCES = MOST_LOADINGS  # loadings of the reference: one used twice would be no new witness
LEAST_PAIRS = 3  # in one loading, so that its median withstands one pair that something came between
MOST_PAIRS = 12
PAIRS_S = 0.1  # pairs of one loading take about this long
RUNS = 2  # in a block
STEADY_RUNS = 12  # of the reference in a row, where its own time is asked
SETTLE_S = 0.02  # the runs before those
SLOW = 1.2  # a reference that takes longer than this x its quiet time is in a slow phase of the machine
REMEMBERED = 400  # pairs from which the quiet time is taken: a machine's level drifts
PATIENCE = 2  # times the budget may be overdrawn while the machine is slow


@dataclass(frozen=True)
class Effort:
    """When to stop.

    Attributes:
        budget_s: Time for one network, its loading included, by the clock that its target is judged by.
        width: Of the 95 % interval as a share of the ratio: then enough has been seen.
    """

    budget_s: float = 1.2
    width: float = 0.03


class Turns:
    """Runs networks in turn with a reference.

    Args:
        references: Loadings of the reference, warm.
        clock: Read before and after each run.
        judged_by: `cpu` or `wall`: the clock whose interval decides when to stop.
    """

    def __init__(self, references: Sequence[Run], clock: Clock, judged_by: str) -> None:
        self._references, self._clock, self._judged_by = tuple(references), clock, judged_by
        self._levels_s: deque[float] = deque(maxlen=REMEMBERED)

    def time(self, load: Load, effort: Effort) -> Timings:
        """Load and time a network again and again until the interval is narrow or the budget is spent.

        Args:
            load: Loads the network anew and runs it twice, so that the engine has what it needs.
        """
        begun = self._clock()
        loadings: list[Loading] = []
        while True:
            loadings.append(self._loading(load(), self.reference(len(loadings))))
            self._levels_s.extend(loadings[-1].levels_s(self._judged_by))
            cpu_s, wall_s = self._since(begun)
            timings = Timings(tuple(loadings), cpu_s, SLOW * float(np.quantile(self._levels_s, 0.1)))
            if self._enough(timings, effort, cpu_s if self._judged_by == "cpu" else wall_s):
                return timings

    def _enough(self, timings: Timings, effort: Effort, spent_s: float) -> bool:
        count, quiet = len(timings.loadings), len(timings.quiet(self._judged_by))
        if count >= MOST_LOADINGS:
            return True
        patience = 1 if quiet >= LEAST_LOADINGS else PATIENCE
        if count >= LEAST_LOADINGS and spent_s >= patience * effort.budget_s:
            return True
        return quiet == LOADINGS and timings.ratio(self._judged_by).relative_width <= effort.width

    def reference(self, number: int) -> Run:
        """One of its loadings; any number counts, they take turns."""
        return self._references[number % len(self._references)]

    def _since(self, begun: tuple[float, float]) -> tuple[float, float]:
        cpu_s, wall_s = self._clock()
        return cpu_s - begun[0], wall_s - begun[1]

    def _loading(self, run: Run, reference: Run) -> Loading:
        references, networks = [self.block(reference)], [self.block(run)]
        references.append(self.block(reference))
        pair_s = networks[0].median_s(self._judged_by) + references[1].median_s(self._judged_by)
        for _ in range(1, _pairs(RUNS * pair_s)):
            networks.append(self.block(run))
            references.append(self.block(reference))
        return Loading(tuple(references), tuple(networks))

    def block(self, run: Run, runs: int = RUNS) -> Block:
        """Time a network's runs in a row."""
        cpu_s, wall_s = [], []
        for _ in range(runs):
            cpu, wall = self._clock()
            run()
            cpu_after, wall_after = self._clock()
            cpu_s.append(cpu_after - cpu)
            wall_s.append(wall_after - wall)
        return Block(tuple(cpu_s), tuple(wall_s))

    def reference_alone(self) -> Timings:
        """Time each loading of the reference by itself, in runs in a row as everybody reports them."""
        begun = self._clock()
        loadings = []
        for reference in self._references:
            first = self.block(reference)
            self.block(reference, _settling(first.median_s(self._judged_by)))
            loadings.append(Loading((self.block(reference, STEADY_RUNS),), ()))
        return Timings(tuple(loadings), self._since(begun)[0])


def _pairs(pair_s: float) -> int:
    return min(MOST_PAIRS, max(LEAST_PAIRS, round(PAIRS_S / max(pair_s, 1e-6))))


def _settling(run_s: float) -> int:
    return max(1, round(SETTLE_S / max(run_s, 1e-6)))
