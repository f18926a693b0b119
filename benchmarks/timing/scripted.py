"""The protocol on a scripted clock: what its intervals hold and how it orders, where the true ratio is known.

The clock is moved by the networks that run on it. A run takes its network's time x how this loading happens to lie in
memory x how fast the machine is just now x noise; the first run after a change of network is slower, and now and then
something comes between. The measuring itself is the code that measures in a study: `objectives.timing.protocol.Turns`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from objectives.timing.protocol import REFERENCES, Effort, Run, Turns
from objectives.timing.timings import Timings

REFERENCE_S = 0.004
LOAD_S = 0.03  # what loading a file costs


@dataclass(frozen=True)
class World:
    """What disturbs a machine.

    Attributes:
        noise: Of a single run: standard deviation of its logarithm.
        loading: Of a loading: standard deviation of its logarithm.
        slow_share, slow_by: Share of the time that the machine is slow, and by what factor at most.
        phase_s: How long it keeps its pace, on average.
        interruption, interruption_s: Chance that something comes between in a run, and how long that lasts.
    """

    noise: float = 0.02
    loading: float = 0.007
    slow_share: float = 0.0
    slow_by: float = 1.0
    phase_s: float = 0.5
    interruption: float = 0.0
    interruption_s: float = 0.0


WORLDS = {
    "quiet": World(),
    "slow phases": World(slow_share=0.3, slow_by=1.5),
    "interruptions": World(noise=0.03, interruption=0.03, interruption_s=0.004),
    "all at once": World(
        noise=0.05, loading=0.01, slow_share=0.4, slow_by=2.0, phase_s=0.2, interruption=0.03, interruption_s=0.004
    ),
}


class Machine:
    """A machine whose clock is moved by what runs on it; the same seed gives the same times."""

    def __init__(self, world: World, seed: int) -> None:
        self._world, self._random = world, np.random.default_rng(seed)
        self._now_s, self._slept_s, self._phase_ends_s, self._level = 0.0, 0.0, 0.0, 1.0
        self._last: object = None
        self._normal = self._drawn()

    def clock(self) -> tuple[float, float]:
        """CPU time and wall time: this machine does nothing else."""
        return self._now_s - self._slept_s, self._now_s

    def sleep(self, seconds: float) -> None:
        """Time passes, and costs nothing."""
        self._now_s += seconds
        self._slept_s += seconds

    def load(self, seconds: float) -> Run:
        """A loading of a network that takes so long a run."""
        self._now_s += LOAD_S
        lies = seconds * float(np.exp(self._world.loading * next(self._normal)))

        def run() -> None:
            self._pass(lies, run)

        return run

    def _pass(self, seconds: float, run: Run) -> None:
        world = self._world
        if self._now_s >= self._phase_ends_s:
            self._phase_ends_s = self._now_s + self._random.exponential(world.phase_s)
            slow = self._random.random() < world.slow_share
            self._level = self._random.uniform(1.0, world.slow_by) if slow else 1.0
        cold = 1.0 if self._last is run else 1.15
        self._last = run
        self._now_s += seconds * cold * self._level * float(np.exp(world.noise * next(self._normal)))
        if world.interruption and self._random.random() < world.interruption:
            self._now_s += self._random.exponential(world.interruption_s)

    def _drawn(self) -> Iterator[float]:
        while True:
            yield from self._random.standard_normal(512).tolist()


def scripted(world: World, ratio: float, seed: int) -> Timings:
    """One measurement of a network that takes `ratio` times as long as the reference."""
    machine = Machine(world, seed)
    references = [machine.load(REFERENCE_S) for _ in range(REFERENCES)]
    turns = Turns(references, machine.clock, "cpu", machine.sleep)
    return turns.time(lambda: machine.load(REFERENCE_S * ratio), Effort())


@dataclass(frozen=True)
class Held:
    """How many of the intervals held the true ratio, and how wide they were: the median, as a share of the ratio."""

    world: str
    held: int
    measurements: int
    width: float
    loadings: float


def coverage(measurements: int) -> list[Held]:
    """The same number in each world, so many together; ratios from 0.3 to 2."""
    found = []
    for number, (name, world) in enumerate(WORLDS.items()):
        held, widths, loadings = 0, [], []
        count = measurements // len(WORLDS)
        for index in range(count):
            ratio = 0.3 * (2 / 0.3) ** (index / max(1, count - 1))
            timings = scripted(world, ratio, seed=index + count * number)
            interval = timings.ratio("cpu")
            held += interval.low <= ratio <= interval.high
            widths.append(interval.relative_width)
            loadings.append(len(timings.loadings))
        found.append(Held(name, held, count, float(np.median(widths)), float(np.mean(loadings))))
    return found


def wrong_orders(decisions: int) -> int:
    """Pairs 5 % apart that are put in the wrong order, the worlds in turn: one measurement of each network."""
    worlds = list(WORLDS.values())
    wrong = 0
    for index in range(decisions):
        world, ratio = worlds[index % len(worlds)], 0.4 + 1.2 * index / decisions
        lower = scripted(world, ratio, seed=2 * index).ratio("cpu").median
        upper = scripted(world, 1.05 * ratio, seed=2 * index + 1).ratio("cpu").median
        wrong += lower >= upper
    return int(wrong)
