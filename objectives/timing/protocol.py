"""Measuring protocol: the order in which a network and the reference are run. Needs only numpy.

After a change of network the first runs are slower, until the caches are full again: the first one by 15 to 20 %, those
after some 20 ms no longer. So a block has the same small number of runs for every network, and each block of the
network lies between two blocks of the reference: a slow moment slows both. Both are loaded several times, because a
file that is loaded again is up to 1 % faster or slower for as long as it stays loaded. While other work slows the
machine, the measurement waits, for a limited time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import pairwise

from objectives.timing.reference_speed import LEAST_REMEMBERED, ReferenceSpeed
from objectives.timing.timings import LEAST_LOADINGS, Block, Loading, Timings

Run = Callable[[], None]
Load = Callable[[], Run]
Clock = Callable[[], tuple[float, float]]
"""Seconds of CPU time and of wall time, from any start."""
Wait = Callable[[], bool]
"""Function that waits until the machine is undisturbed, and returns whether it is."""
Aside = Callable[[], AbstractContextManager[None]]
"""Context of a period in which nothing is timed."""

LOADINGS = 6  # of a network: fewer give no useful interval
MOST_LOADINGS = 8  # the interval is checked once before, after `LOADINGS`: each check is a chance to stop too early
MOST_TRIES = 12  # total number of loadings, including those in slow phases
REFERENCES = MOST_LOADINGS  # loadings of the reference: a loading that is used twice gives no independent sample
LEAST_PAIRS = 3  # in one loading, so that one disturbed pair does not move its median
MOST_PAIRS = 12
PAIRS_S = 0.15  # pairs of one loading take about this long
RUNS = 2  # in a block
LONG_RUN_S = 0.3  # a run from which on it is a block of its own: the first one takes some 3 ms longer, 1 % of it
LONG_PAIRS = 2  # in one loading of such a network; 3 loadings then take 12 runs with those that warm it up
STEADY_RUNS = 12  # consecutive runs of the reference, to time it alone
LEAST_STEADY_RUNS = 3
STEADY_S = 0.5  # duration of those runs; longer ones are fewer
SETTLE_S = 0.02  # duration of the untimed runs before those
PATIENCE = 2  # multiple of the budget that may be spent while the machine is slow
FAR_BEYOND = 1.3  # multiple of a limit: slow phases change a ratio by less, and noise by much less
WAIT_S = 12.0  # maximum in total, until slow phases end; our other processes wait during this time
LEAST_WAIT_S = 1.5  # the same after long waits: each that was used up halves the next one, each shorter one doubles it
CHECK_S = 0.15  # between two checks whether the machine is undisturbed


@dataclass(frozen=True)
class MeasuringBudget:
    """Budget of a measurement: when to stop.

    Attributes:
        budget_s: Time for one network, including its loading, by the target's clock.
        width: Width of the 95 % interval, as a share of the ratio, at which measuring stops.
        limit: Ratio above which a network is too slow; far above it measuring stops early. None for no limit.
    """

    budget_s: float = 1.4
    width: float = 0.03
    limit: float | None = None


class InterleavedTiming:
    """Timing of networks in turn with a reference.

    Args:
        references: Loadings of the reference, after warm-up.
        clock: Clock that is read before and after each run.
        judged_by: `cpu` or `wall`: the clock whose interval decides when to stop.
        sleep: Waits for the given number of seconds.
        wait_s: Maximum number of seconds that one network waits until slow phases end.
    """

    def __init__(
        self,
        references: Sequence[Run],
        clock: Clock,
        judged_by: str,
        sleep: Callable[[float], None] = time.sleep,
        wait_s: float = WAIT_S,
    ) -> None:
        self._references, self._clock, self._judged_by = tuple(references), clock, judged_by
        self._sleep, self._speed = sleep, ReferenceSpeed()
        self._waited = (0.0, 0.0)
        self._wait_s = self._patience_s = wait_s

    @property
    def waited(self) -> tuple[float, float]:
        """Seconds of CPU time and of wall time spent on waiting so far; they do not count for any network."""
        return self._waited

    @property
    def slow_s(self) -> float:
        """Time of a reference block above which the machine is slow: see `ReferenceSpeed`."""
        return self._speed.slow_s

    def time(self, load: Load, budget: MeasuringBudget, aside: Aside = nullcontext) -> Timings:
        """Load and time a network repeatedly, until the interval is narrow or the budget is spent.

        A machine that is slow again and again would cost `WAIT_S` for each network: after long waits it waits less.

        Args:
            load: Loads the network again and runs it twice, so that the engine has allocated its memory.
            aside: Context for the time of waiting.
        """
        patience_s = self._patience_s
        wait, begun, waited = self.waiting(patience_s, aside), self._clock(), self._waited
        loadings: list[Loading] = []
        while True:
            hurried = budget.limit is not None and len(loadings) < LEAST_LOADINGS
            if not hurried and (not loadings or self._level_s(loadings[-1].reference[-1]) > self._speed.slow_s):
                wait()
            loadings.append(self._loading(load(), self.reference(len(loadings)), _at_once if hurried else wait))
            cpu_s, wall_s = self._since(begun)
            timings = Timings(tuple(loadings), cpu_s, self._speed.slow_s)
            which, spent_s = (0, cpu_s) if self._judged_by == "cpu" else (1, wall_s)
            spent_s -= self._waited[which] - waited[which]
            if self._enough(timings, budget, spent_s):
                self._learn_patience(self._waited[1] - waited[1], patience_s)
                return timings

    def _learn_patience(self, waited_s: float, most_s: float) -> None:
        """Wait less for the next network if all of the time was used up, else more again."""
        shorter_s, longer_s = max(LEAST_WAIT_S, most_s / 2), 2 * most_s
        self._patience_s = min(self._wait_s, shorter_s if waited_s >= most_s else longer_s)

    def _enough(self, timings: Timings, budget: MeasuringBudget, spent_s: float) -> bool:
        count, undisturbed = len(timings.loadings), len(timings.undisturbed(self._judged_by))
        if budget.limit is not None and count == LEAST_LOADINGS and self._far_beyond(timings, budget.limit):
            return True
        if undisturbed >= MOST_LOADINGS or count >= MOST_TRIES:
            return True
        patience = 1 if undisturbed >= LOADINGS else PATIENCE
        if count >= LEAST_LOADINGS and spent_s >= patience * budget.budget_s:
            return True
        return undisturbed == LOADINGS and timings.ratio(self._judged_by).relative_width <= budget.width

    def _far_beyond(self, timings: Timings, limit: float) -> bool:
        return min(float(loading.ratios(self._judged_by).min()) for loading in timings.loadings) > FAR_BEYOND * limit

    def waiting(self, most_s: float, aside: Aside = nullcontext) -> Wait:
        """Return a function that waits until the machine is undisturbed, at most `most_s` seconds over all calls.

        Args:
            aside: Context for the time of waiting.
        """
        with self._counted_as_waiting(), aside():
            self._learn_speed()
        begun_s = self._waited[1]

        def wait() -> bool:
            with self._counted_as_waiting(), aside():
                return self._becomes_undisturbed_within(most_s - (self._waited[1] - begun_s))

        return wait

    def _becomes_undisturbed_within(self, most_s: float) -> bool:
        begun, checks = self._clock(), 0
        while self._since(begun)[1] < most_s:
            if self._time_reference(checks) <= self._speed.slow_s:
                return True
            checks += 1
            self._sleep(CHECK_S)
        return False

    @contextmanager
    def _counted_as_waiting(self) -> Iterator[None]:
        begun = self._clock()
        try:
            yield
        finally:
            cpu_s, wall_s = self._since(begun)
            self._waited = (self._waited[0] + cpu_s, self._waited[1] + wall_s)

    def _learn_speed(self) -> None:
        """Time the reference a few times, unless that was done before, so that slow phases can be recognised."""
        for number in range(LEAST_REMEMBERED):
            if self._speed.known:
                break
            if number % REFERENCES == 0:
                self._sleep(CHECK_S)  # spread over some time, because a slow phase may last
            self._time_reference(number)

    def _time_reference(self, number: int) -> float:
        """Time a block of the reference now; return and remember its seconds."""
        self.reference(number)()  # another loading, so that caches are as cold as after a network
        level_s = self._level_s(self.block(self.reference(number + 1)))
        self._speed.remember([level_s])
        return level_s

    def reference(self, number: int) -> Run:
        """Return a loading of the reference; consecutive numbers give different loadings in turn."""
        return self._references[number % len(self._references)]

    def _since(self, begun: tuple[float, float]) -> tuple[float, float]:
        cpu_s, wall_s = self._clock()
        return cpu_s - begun[0], wall_s - begun[1]

    def _loading(self, run: Run, reference: Run, wait: Wait) -> Loading:
        references, networks = [self.block(reference)], [self.block(run)]
        references.append(self.block(reference))
        run_s, reference_s = self._level_s(networks[0]), self._level_s(references[1])
        wanted = LONG_PAIRS if run_s >= LONG_RUN_S else _pairs(RUNS * (run_s + reference_s))
        slow_s = self._speed.slow_s
        most = min(MOST_PAIRS, 2 * wanted)
        while len(networks) < most and _undisturbed_pairs(map(self._level_s, references), slow_s) < wanted:
            slow = self._level_s(references[-1]) > slow_s
            if slow and not wait() and len(networks) >= wanted:
                break
            networks.append(self.block(run))
            references.append(self.block(reference))
        self._speed.remember(map(self._level_s, references))
        return Loading(tuple(references), tuple(networks))

    def _level_s(self, block: Block) -> float:
        return block.median_s(self._judged_by)

    def block(self, run: Run, runs: int = RUNS) -> Block:
        """Time consecutive runs of a network; a run of `LONG_RUN_S` is the last one."""
        cpu_s, wall_s = [], []
        for _ in range(runs):
            cpu, wall = self._clock()
            run()
            cpu_after, wall_after = self._clock()
            cpu_s.append(cpu_after - cpu)
            wall_s.append(wall_after - wall)
            if wall_s[-1] >= LONG_RUN_S:
                break
        return Block(tuple(cpu_s), tuple(wall_s))

    def reference_alone(self, aside: Aside = nullcontext) -> Timings:
        """Time each loading of the reference alone, in consecutive runs, as usual benchmarks do."""
        wait, begun = self.waiting(self._wait_s, aside), self._clock()
        loadings = []
        for reference in self._references:
            wait()
            first = self.block(reference)
            if (settling := _settling(self._level_s(first))) > RUNS:  # else the first block was long enough
                self.block(reference, settling)
            loadings.append(Loading((self.block(reference, _steady_runs(self._level_s(first))),), ()))
        return Timings(tuple(loadings), self._since(begun)[0], self._speed.slow_s)


def _at_once() -> bool:
    """Return False without waiting: a `Wait` that does not know whether the machine is undisturbed."""
    return False


def _undisturbed_pairs(references_s: Iterable[float], slow_s: float) -> int:
    """Return the number of blocks of the network that lie between two blocks of the reference that were not slow."""
    return sum(max(before, after) <= slow_s for before, after in pairwise(references_s))


def _pairs(pair_s: float) -> int:
    return min(MOST_PAIRS, max(LEAST_PAIRS, round(PAIRS_S / max(pair_s, 1e-6))))


def _steady_runs(run_s: float) -> int:
    return min(STEADY_RUNS, max(LEAST_STEADY_RUNS, round(STEADY_S / max(run_s, 1e-6))))


def _settling(run_s: float) -> int:
    return max(1, round(SETTLE_S / max(run_s, 1e-6)))
