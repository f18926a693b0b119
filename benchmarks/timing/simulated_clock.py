"""The protocol on a simulated clock: coverage of its intervals and order of its ratios, where the true ratio is known.

The networks that run on the clock move it. A run takes its network's time x a factor of this loading's place in memory
x a factor of the machine's present speed x noise. The first run after a change of network is slower, and some runs are
interrupted. The measuring itself is the code that measures in a study: `objectives.timing.protocol.InterleavedTiming`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from objectives.timing.protocol import REFERENCES, InterleavedTiming, MeasuringBudget, Run
from objectives.timing.timings import Timings

REFERENCE_S = 0.004
LOAD_S = 0.03
"""Time to load a file."""


@dataclass(frozen=True)
class Disturbance:
    """The disturbances of a simulated machine.

    Attributes:
        noise: Standard deviation of the logarithm of a run's factor.
        loading: Standard deviation of the logarithm of a loading's factor.
        slow_share: Share of the phases in which the machine is slow.
        slow_by: Maximum factor of a slow phase.
        phase_s: Mean length of a phase in seconds.
        interruption: Probability that a run is interrupted.
        interruption_s: Mean length of an interruption in seconds.
    """

    noise: float = 0.02
    loading: float = 0.007
    slow_share: float = 0.0
    slow_by: float = 1.0
    phase_s: float = 0.5
    interruption: float = 0.0
    interruption_s: float = 0.0


DISTURBANCES = {
    "quiet": Disturbance(),
    "slow phases": Disturbance(slow_share=0.3, slow_by=1.5),
    "interruptions": Disturbance(noise=0.03, interruption=0.03, interruption_s=0.004),
    "all at once": Disturbance(
        noise=0.05, loading=0.01, slow_share=0.4, slow_by=2.0, phase_s=0.2, interruption=0.03, interruption_s=0.004
    ),
}


class SimulatedMachine:
    """A machine whose clock is moved by what runs on it; the same seed gives the same times."""

    def __init__(self, disturbance: Disturbance, seed: int) -> None:
        self._disturbance, self._random = disturbance, np.random.default_rng(seed)
        self._now_s, self._slept_s, self._phase_ends_s, self._speed = 0.0, 0.0, 0.0, 1.0
        self._last: object = None
        self._normal = self._standard_normals()

    def clock(self) -> tuple[float, float]:
        """Return CPU time and wall time; this machine does nothing else."""
        return self._now_s - self._slept_s, self._now_s

    def sleep(self, seconds: float) -> None:
        """Let wall time pass without CPU time."""
        self._now_s += seconds
        self._slept_s += seconds

    def load(self, seconds: float) -> Run:
        """Load a network whose run takes this long."""
        self._now_s += LOAD_S
        loaded_s = seconds * float(np.exp(self._disturbance.loading * next(self._normal)))

        def run() -> None:
            self._run(loaded_s, run)

        return run

    def _run(self, seconds: float, run: Run) -> None:
        disturbance = self._disturbance
        if self._now_s >= self._phase_ends_s:
            self._phase_ends_s = self._now_s + self._random.exponential(disturbance.phase_s)
            slow = self._random.random() < disturbance.slow_share
            self._speed = self._random.uniform(1.0, disturbance.slow_by) if slow else 1.0
        cold = 1.0 if self._last is run else 1.15
        self._last = run
        self._now_s += seconds * cold * self._speed * float(np.exp(disturbance.noise * next(self._normal)))
        if disturbance.interruption and self._random.random() < disturbance.interruption:
            self._now_s += self._random.exponential(disturbance.interruption_s)

    def _standard_normals(self) -> Iterator[float]:
        while True:
            yield from self._random.standard_normal(512).tolist()


def simulate_measurement(disturbance: Disturbance, ratio: float, seed: int) -> Timings:
    """Measure a network that takes `ratio` times as long as the reference."""
    machine = SimulatedMachine(disturbance, seed)
    references = [machine.load(REFERENCE_S) for _ in range(REFERENCES)]
    turns = InterleavedTiming(references, machine.clock, "cpu", machine.sleep)
    return turns.time(lambda: machine.load(REFERENCE_S * ratio), MeasuringBudget())


@dataclass(frozen=True)
class SimulatedCoverage:
    """Coverage of the intervals under one kind of disturbance.

    Attributes:
        held: Number of intervals that contain the true ratio.
        width: Median width of the intervals, as a share of the ratio.
        loadings: Mean number of loadings.
    """

    disturbance: str
    held: int
    measurements: int
    width: float
    loadings: float


def simulate_coverage(measurements: int) -> list[SimulatedCoverage]:
    """Measure ratios from 0.3 to 2, the same number under each kind of disturbance, this many together."""
    found = []
    for number, (name, disturbance) in enumerate(DISTURBANCES.items()):
        held, widths, loadings = 0, [], []
        count = measurements // len(DISTURBANCES)
        for index in range(count):
            ratio = 0.3 * (2 / 0.3) ** (index / max(1, count - 1))
            timings = simulate_measurement(disturbance, ratio, seed=index + count * number)
            interval = timings.ratio("cpu")
            held += interval.low <= ratio <= interval.high
            widths.append(interval.relative_width)
            loadings.append(len(timings.loadings))
        found.append(SimulatedCoverage(name, held, count, float(np.median(widths)), float(np.mean(loadings))))
    return found


def simulate_wrong_orders(decisions: int) -> int:
    """Return how many of these pairs 5 % apart are put in the wrong order, under all disturbances in turn."""
    disturbances = list(DISTURBANCES.values())
    wrong = 0
    for index in range(decisions):
        disturbance, ratio = disturbances[index % len(disturbances)], 0.4 + 1.2 * index / decisions
        lower = simulate_measurement(disturbance, ratio, seed=2 * index).ratio("cpu").median
        upper = simulate_measurement(disturbance, 1.05 * ratio, seed=2 * index + 1).ratio("cpu").median
        wrong += lower >= upper
    return int(wrong)
