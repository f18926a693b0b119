"""A race of networks on one target: timed in turn with each other and the reference, until their order is settled.

Two networks measured one after the other are compared across whatever the machine did in between. In a race every
round times every network once, in an order drawn anew, each block between two blocks of the reference; networks are
compared round by round, so that what slows both cancels. Needs numpy alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from objectives.timings import Block, Interval

if TYPE_CHECKING:
    from objectives.circumstances import Circumstances

LEVEL = 0.95
PAIR_LEVEL = 0.998  # about 99 % over all the looks that a race takes at a pair, as each is a chance to stop too early
TIE = math.log(1.005)  # a difference below this is none, however sure
WORTH_DECIDING = math.log(1.01)
UNSTEADY = math.log(1.15)  # between the two references of a block: the machine changed its pace meanwhile
LEAST = 6  # observations, however small the budget: fewer have no interval of 95 %
ENOUGH = 12  # observations, however clear the order: fewer have a wide one
MOST = 200
LOOK_AGAIN = 1.15  # times as many observations until the next look: each look is a chance to stop too early
EXACT = 60  # more values than this: the normal approximation of the signed-rank distribution

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pair:
    """Two networks compared.

    Attributes:
        difference: Log of the first's time over the second's, with its 99.8 % interval.
    """

    difference: Interval

    @property
    def decided(self) -> bool:
        """The interval says which is faster."""
        return self.difference.low > 0 or self.difference.high < 0

    @property
    def tie(self) -> bool:
        """No order is claimed: not decided, or too near to matter."""
        return not self.decided or abs(self.difference.median) < TIE


@dataclass(frozen=True)
class Settled:
    """What a race says.

    Attributes:
        order: Numbers of the networks, fastest first.
        ratios: Network / reference with the 95 % interval, by number.
        ties: For each number those that it ties with, in the settled order; mutual, not transitive.
    """

    order: tuple[int, ...]
    ratios: tuple[Interval, ...]
    ties: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Race:
    """Everything that a race saw, in the order in which it happened.

    Attributes:
        reference: Rounds x networks + 1 blocks: reference, network, reference, network, ..., reference.
        networks: For each network its blocks, one a round.
        orders: For each round the networks' numbers as they ran.
        cpu_seconds: CPU time of the whole race, loading included.
        circumstances: What else the machine did meanwhile.
        loadings: For each round how often the networks had been loaded before it, if they were loaded more than
            once. Where memory happened to be laid out stays as it is from load to load, so that then one loading
            counts as one observation. Empty: each round counts.
    """

    reference: tuple[Block, ...]
    networks: tuple[tuple[Block, ...], ...]
    orders: tuple[tuple[int, ...], ...]
    cpu_seconds: float
    circumstances: Circumstances | None = None
    loadings: tuple[int, ...] = ()

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
        """How often every network was timed."""
        return len(self.orders)

    def runs(self, network: int) -> int:
        """Timed runs of a network."""
        return sum(len(block.wall_s) for block in self.networks[network])

    def log_ratios(self, clock: str) -> Floats:
        """Log of network / reference, (networks, rounds); NaN where the machine changed its pace meanwhile."""
        reference = np.log([_mean_s(block, clock) for block in self.reference])
        times = np.log([[_mean_s(block, clock) for block in blocks] for blocks in self.networks])
        count = len(self.networks)
        # where a network's block lies, counted over all rounds: between the references of that number and the next
        places = np.argsort(np.array(self.orders, dtype=int), axis=1).T + count * np.arange(self.rounds)
        before, after = reference[places], reference[places + 1]
        found: Floats = np.where(np.abs(after - before) > UNSTEADY, np.nan, times - (before + after) / 2)
        few = np.isnan(found).mean(axis=1) > 0.5  # never a steady pace: the unsteady are all there is
        found[few] = (times - (before + after) / 2)[few]
        return found

    def ratio(self, network: int, clock: str) -> Interval:
        """Time of a network / time of the reference, with its 95 % interval."""
        found = centre(self._observed(self._logs(clock)[network]), LEVEL)
        return Interval(math.exp(found.median), math.exp(found.low), math.exp(found.high))

    def samples(self, network: int, clock: str) -> tuple[float, ...]:
        """The ratio of every round in which the machine kept its pace."""
        logs = self._logs(clock)[network]
        return tuple(np.exp(logs[~np.isnan(logs)]).tolist())

    def pair(self, first: int, second: int, clock: str) -> Pair:
        """Compare two networks round by round."""
        logs = self._logs(clock)
        difference = logs[first] - logs[second]
        if np.isnan(difference).mean() > 0.5:  # hardly a round was steady for both
            return Pair(_apart(centre(self._observed(logs[first]), LEVEL), centre(self._observed(logs[second]), LEVEL)))
        return Pair(centre(self._observed(difference), PAIR_LEVEL))

    def order(self, clock: str) -> tuple[int, ...]:
        """Numbers of the networks, fastest first."""
        medians = [self.ratio(network, clock).median for network in range(len(self.networks))]
        return tuple(sorted(range(len(medians)), key=medians.__getitem__))

    def undecided(self, clock: str) -> tuple[tuple[int, int], ...]:
        """Neighbours in the order whose difference would matter and is not sure yet: reasons to go on."""
        pairs = [(pair, self.pair(*pair, clock)) for pair in pairwise(self.order(clock))]
        return tuple(p for p, found in pairs if not found.decided and abs(found.difference.median) > WORTH_DECIDING)

    def settle(self, clock: str) -> Settled:
        """The order, the ratios, and who ties with whom."""
        order = self.order(clock)
        ties = [tuple(o for o in order if o != n and self.pair(n, o, clock).tie) for n in range(len(order))]
        return Settled(order, tuple(self.ratio(n, clock) for n in range(len(order))), tuple(ties))

    def as_plain(self) -> dict[str, Any]:
        """Plain values, for the way between two processes."""
        return {
            "reference": [[block.cpu_s, block.wall_s] for block in self.reference],
            "networks": [[[block.cpu_s, block.wall_s] for block in blocks] for blocks in self.networks],
            "orders": self.orders,
            "cpu_seconds": self.cpu_seconds,
            "circumstances": None if self.circumstances is None else self.circumstances.as_plain(),
            "loadings": self.loadings,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Race:
        """The opposite of `as_plain`."""
        seen = plain["circumstances"]
        if seen is not None:
            from objectives.circumstances import Circumstances

            seen = Circumstances.from_plain(seen)
        return cls(
            reference=_blocks(plain["reference"]),
            networks=tuple(_blocks(blocks) for blocks in plain["networks"]),
            orders=tuple(tuple(order) for order in plain["orders"]),
            cpu_seconds=plain["cpu_seconds"],
            circumstances=seen,
            loadings=tuple(plain["loadings"]),
        )

    @cached_property
    def _by_clock(self) -> dict[str, Floats]:
        return {}

    def _logs(self, clock: str) -> Floats:
        if clock not in self._by_clock:
            self._by_clock[clock] = self.log_ratios(clock)
        return self._by_clock[clock]

    def _observed(self, values: Floats) -> Floats:
        """One value for each independent observation."""
        known = ~np.isnan(values)
        if not self.loadings:
            return values[known]
        loadings = np.array(self.loadings)[known]
        return np.array([np.median(values[known][loadings == number]) for number in np.unique(loadings)])


def run_race(
    count: int,
    block: Callable[[int | None], Block],
    *,
    clock: str,
    cpu_seconds: Callable[[], float],
    cpu_budget_s: float,
    seed: int,
    load: Callable[[Sequence[int]], None] | None = None,
    rounds_a_loading: int = 1,
) -> Race:
    """Race until all neighbours are decided or the budget is spent, whichever comes first.

    Args:
        count: Number of networks.
        block: Times one block of the network of that number; of the reference for None.
        clock: `cpu` or `wall`: by which the order is judged.
        cpu_seconds: CPU time spent so far.
        load: Loads all networks anew, in the order given; called before every `rounds_a_loading` rounds. The order is
            drawn too: the place in it can move a network by 1 to 2 % for as long as it stays loaded.
        seed: Of the orders.
    """
    random = np.random.default_rng(seed)
    reference, orders = list[Block](), list[tuple[int, ...]]()
    networks: list[list[Block]] = [[] for _ in range(count)]
    next_look = ENOUGH
    for observed in range(1, MOST + 1):
        if load is not None:
            load([int(number) for number in random.permutation(count)])
        reference = reference or [block(None)]
        for _ in range(rounds_a_loading):
            orders.append(tuple(int(number) for number in random.permutation(count)))
            for number in orders[-1]:
                networks[number].append(block(number))
                reference.append(block(None))
        spent = cpu_seconds() >= cpu_budget_s and observed >= LEAST
        if not (spent or observed >= next_look or observed == MOST):
            continue
        loadings = () if load is None else tuple(round_ // rounds_a_loading for round_ in range(len(orders)))
        blocks = tuple(map(tuple, networks))
        race = Race(tuple(reference), blocks, tuple(orders), cpu_seconds(), loadings=loadings)
        if spent or not race.undecided(clock):
            break
        next_look = math.ceil(LOOK_AGAIN * observed)
    return race


def centre(values: Sequence[float] | Floats, level: float) -> Interval:
    """The Hodges-Lehmann estimate, the median of all pairwise means, with the interval of the signed-rank test.

    It needs no normal noise, only noise to both sides alike; a quarter of the values may be anything. With fewer
    values than it takes to reach the level, the interval is their range.

    Source: Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, 3rd edition, 2014, chapter 3.
    """
    array = np.asarray(values, dtype=np.float64)
    first, second = np.triu_indices(len(array))
    walsh = np.sort((array[first] + array[second]) / 2)
    outside = _values_outside(len(array), level)
    return Interval(float(np.median(walsh)), float(walsh[outside]), float(walsh[-1 - outside]))


@lru_cache
def _values_outside(count: int, level: float) -> int:
    """How many of the sorted pairwise means lie below the interval (and as many above)."""
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


def _apart(first: Interval, second: Interval) -> Interval:
    """The difference of two that were not seen together; its interval holds all that both allow."""
    return Interval(first.median - second.median, first.low - second.high, first.high - second.low)


def _mean_s(block: Block, clock: str) -> float:
    return float(np.mean(block.seconds(clock)))


def _blocks(values: Sequence[Sequence[Sequence[float]]]) -> tuple[Block, ...]:
    return tuple(Block(tuple(cpu_s), tuple(wall_s)) for cpu_s, wall_s in values)
