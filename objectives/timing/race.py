"""Race of networks on one target: timed in turn with each other and the reference, until their order is certain.

If two networks are measured one after the other, the machine may change in between. In a race every round times every
network once, in a new random order, each block between two blocks of the reference. Networks are compared round by
round, so that a disturbance of both cancels. Needs only numpy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from objectives.timing.reference_speed import slow_above
from objectives.timing.signed_rank import centre
from objectives.timing.timings import Block, Interval

if TYPE_CHECKING:
    from objectives.device.activity import DeviceActivity

LEVEL = 0.95
PAIR_LEVEL = 0.998  # about 99 % over all checks of a pair in a race: each check is a chance to stop too early
TIE = math.log(1.005)  # a smaller difference does not count, even if it is certain
WORTH_DECIDING = math.log(1.01)  # the race does not continue for a smaller difference
UNSTEADY = math.log(1.15)  # difference of the references around a block above which the machine changed its speed
LEAST = 6  # minimum number of observations, even if the budget is spent: fewer have no interval of 95 %
SLOW_SHIFT = math.log(1.1)  # slow phases change one network's ratio by up to 7 % more than another's
SURE = 10  # minimum number of observations of a pair: the range of fewer covers less than 99.8 %
ENOUGH = 12  # minimum number of observations, even if the order is clear: fewer have a wide interval

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pair:
    """Comparison of two networks.

    Attributes:
        difference: Logarithm of (time of the first / time of the second), with its 99.8 % interval.
    """

    difference: Interval

    @property
    def decided(self) -> bool:
        """True if the interval decides which is faster."""
        return self.difference.low > 0 or self.difference.high < 0

    @property
    def tie(self) -> bool:
        """True if the two count as equally fast: undecided, or with a difference too small to matter."""
        return not self.decided or abs(self.difference.median) < TIE


@dataclass(frozen=True)
class RaceResult:
    """Result of a race.

    Attributes:
        order: Numbers of the networks, fastest first.
        ratios: Network / reference with the 95 % interval, by number.
        ties: For each network the networks that it ties with, in the final order; mutual, not transitive.
    """

    order: tuple[int, ...]
    ratios: tuple[Interval, ...]
    ties: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Race:
    """All observations of a race, in their order.

    Attributes:
        reference: Rounds x networks + 1 blocks: reference, network, reference, network, ..., reference.
        networks: For each network its blocks, one a round.
        orders: For each round the networks' numbers as they ran.
        cpu_seconds: CPU time of the whole race, including loading.
        circumstances: Other work on the machine during the race.
        loadings: Number of loadings before each round, if the networks were loaded more than once. The layout in memory
            stays the same until the next loading, so one loading counts as one observation. Empty: each round counts.
        slow_s: Time of a reference block above which the machine was in a slow phase. Observations before the race
            count too.
    """

    reference: tuple[Block, ...]
    networks: tuple[tuple[Block, ...], ...]
    orders: tuple[tuple[int, ...], ...]
    cpu_seconds: float
    circumstances: DeviceActivity | None = None
    loadings: tuple[int, ...] = ()
    slow_s: float = math.inf

    def __post_init__(self) -> None:
        rounds, count = len(self.orders), len(self.networks)
        if len(self.reference) != rounds * count + 1:
            raise ValueError(f"a race of {rounds} rounds of {count} has {len(self.reference)} blocks of the reference")
        if any(len(blocks) != rounds for blocks in self.networks):
            raise ValueError(f"every network of a race of {rounds} rounds has {rounds} blocks")
        if any(sorted(order) != list(range(count)) for order in self.orders):
            raise ValueError(f"every round of a race runs each of its {count} networks once")
        if self.loadings and len(self.loadings) != rounds:
            raise ValueError(f"a race of {rounds} rounds names {len(self.loadings)} loadings")

    @property
    def rounds(self) -> int:
        """Number of times that every network was timed."""
        return len(self.orders)

    def runs(self, network: int) -> int:
        """Return the number of timed runs of a network."""
        return sum(len(block.wall_s) for block in self.networks[network])

    def log_ratios(self, clock: str) -> Floats:
        """Return log(network / reference), (networks, rounds); NaN if the machine was slow or changed its speed.

        Slow phases count if too few rounds are left without them.
        """
        ratios = self._all_log_ratios(clock)
        if self.undisturbed_rounds(clock) >= ENOUGH:
            return np.where(self._undisturbed(clock), ratios, np.nan)
        before, after = self._around(clock)
        steady = np.abs(after - before) <= UNSTEADY
        rare = steady.mean(axis=1, keepdims=True) < 0.5  # most rounds are unsteady: use them
        return np.where(steady | rare, ratios, np.nan)

    def _all_log_ratios(self, clock: str) -> Floats:
        ratios: Floats = self._cached(f"all {clock}", lambda: self._log_ratios(clock))
        return ratios

    def _log_ratios(self, clock: str) -> Floats:
        before, after = self._around(clock)
        times = np.log([[mean_s(block, clock) for block in blocks] for blocks in self.networks])
        ratios: Floats = times - (before + after) / 2
        return ratios

    def undisturbed_rounds(self, clock: str) -> int:
        """Return the number of undisturbed observations of the network that has the fewest."""
        if not self.loadings:
            return int(self._undisturbed(clock).sum(axis=1).min())
        loadings = np.array(self.loadings)
        return min(len(np.unique(loadings[undisturbed])) for undisturbed in self._undisturbed(clock))

    def contended(self, clock: str) -> bool | None:
        """Return whether other work was seen: as a process, or by a machine that was slow for most of the time."""
        if self.undisturbed_rounds(clock) < min(ENOUGH, self.rounds):
            return True
        return None if self.circumstances is None else self.circumstances.contended

    def _undisturbed(self, clock: str) -> NDArray[np.bool_]:
        undisturbed: NDArray[np.bool_] = self._cached(f"undisturbed {clock}", lambda: self._find_undisturbed(clock))
        return undisturbed

    def _find_undisturbed(self, clock: str) -> NDArray[np.bool_]:
        before, after = self._around(clock)
        slow = math.log(min(self.slow_s, slow_above(np.array([mean_s(block, clock) for block in self.reference]))))
        undisturbed: NDArray[np.bool_] = (np.abs(after - before) <= UNSTEADY) & (np.maximum(before, after) <= slow)
        return undisturbed

    def _around(self, clock: str) -> tuple[Floats, Floats]:
        """Return the log times of the reference before and after each block, both (networks, rounds)."""
        reference = np.log([mean_s(block, clock) for block in self.reference])
        count = len(self.networks)
        # position of each block over all rounds: it lies between the references of that number and the next
        places = np.argsort(np.array(self.orders, dtype=int), axis=1).T + count * np.arange(self.rounds)
        return reference[places], reference[places + 1]

    def ratio(self, network: int, clock: str) -> Interval:
        """Return time of the network / time of the reference, with its 95 % interval."""
        found = centre(self._observed(self._logs(clock)[network]), LEVEL)
        return Interval(math.exp(found.median), math.exp(found.low), math.exp(found.high))

    def samples(self, network: int, clock: str) -> tuple[float, ...]:
        """Return the ratio of every round in which the machine kept its speed."""
        logs = self._logs(clock)[network]
        return tuple(np.exp(logs[~np.isnan(logs)]).tolist())

    def pair(self, first: int, second: int, clock: str) -> Pair:
        """Compare two networks round by round, in the rounds that were undisturbed for both.

        If there are too few such rounds, only a large difference decides.
        """
        ratios, undisturbed = self._all_log_ratios(clock), self._undisturbed(clock)
        difference = ratios[first] - ratios[second]
        observed = self._observed(np.where(undisturbed[first] & undisturbed[second], difference, np.nan))
        if len(observed) >= SURE:
            return Pair(centre(observed, PAIR_LEVEL))
        everything = self._observed(difference)
        found, reach = centre(everything, PAIR_LEVEL), SLOW_SHIFT if len(everything) >= SURE else math.inf
        return Pair(Interval(found.median, found.low - reach, found.high + reach))

    def order(self, clock: str) -> tuple[int, ...]:
        """Return the numbers of the networks, fastest first."""
        medians = [self.ratio(network, clock).median for network in range(len(self.networks))]
        return tuple(sorted(range(len(medians)), key=medians.__getitem__))

    def undecided(self, clock: str) -> tuple[tuple[int, int], ...]:
        """Return neighbours in the order whose difference matters but is not certain: the race continues for them."""
        pairs = [(pair, self.pair(*pair, clock)) for pair in pairwise(self.order(clock))]
        return tuple(p for p, found in pairs if not found.decided and abs(found.difference.median) > WORTH_DECIDING)

    def settle(self, clock: str) -> RaceResult:
        """Return the order, the ratios, and the ties."""
        order = self.order(clock)
        place = {network: position for position, network in enumerate(order)}

        def are_tied(one: int, other: int) -> bool:
            """Return whether two networks tie. If their pair contradicts the order of the single ratios, they do."""
            pair = self.pair(one, other, clock)
            return pair.tie or (pair.difference.median > 0) != (place[one] > place[other])

        ties = [tuple(o for o in order if o != n and are_tied(n, o)) for n in range(len(order))]
        return RaceResult(order, tuple(self.ratio(n, clock) for n in range(len(order))), tuple(ties))

    def as_plain(self) -> dict[str, Any]:
        """Return plain values, to send them to another process."""
        return {
            "reference": [[block.cpu_s, block.wall_s] for block in self.reference],
            "networks": [[[block.cpu_s, block.wall_s] for block in blocks] for blocks in self.networks],
            "orders": self.orders,
            "cpu_seconds": self.cpu_seconds,
            "circumstances": None if self.circumstances is None else self.circumstances.as_plain(),
            "loadings": self.loadings,
            "slow_s": self.slow_s if math.isfinite(self.slow_s) else None,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Race:
        """Return the opposite of `as_plain`."""
        seen = plain["circumstances"]
        if seen is not None:
            from objectives.device.activity import DeviceActivity

            seen = DeviceActivity.from_plain(seen)
        return cls(
            reference=_blocks(plain["reference"]),
            networks=tuple(_blocks(blocks) for blocks in plain["networks"]),
            orders=tuple(tuple(order) for order in plain["orders"]),
            cpu_seconds=plain["cpu_seconds"],
            circumstances=seen,
            loadings=tuple(plain["loadings"]),
            slow_s=math.inf if plain["slow_s"] is None else plain["slow_s"],
        )

    @cached_property
    def _known(self) -> dict[str, Any]:
        return {}

    def _cached(self, what: str, work: Callable[[], Any]) -> Any:
        """Return the stored result of some work, done once: every pair needs the same."""
        if what not in self._known:
            self._known[what] = work()
        return self._known[what]

    def _logs(self, clock: str) -> Floats:
        logs: Floats = self._cached(f"logs {clock}", lambda: self.log_ratios(clock))
        return logs

    def _observed(self, values: Floats) -> Floats:
        """Return one value for each independent observation."""
        known = ~np.isnan(values)
        if not self.loadings:
            return values[known]
        loadings = np.array(self.loadings)[known]
        return np.array([np.median(values[known][loadings == number]) for number in np.unique(loadings)])


def mean_s(block: Block, clock: str) -> float:
    """Return the mean run of a block, in seconds."""
    return float(np.mean(block.seconds(clock)))


def _blocks(values: Sequence[Sequence[Sequence[float]]]) -> tuple[Block, ...]:
    return tuple(Block(tuple(cpu_s), tuple(wall_s)) for cpu_s, wall_s in values)
