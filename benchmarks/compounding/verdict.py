"""The verdict: a search at the latency of each network by hand against the best by hand that is no slower.

Networks are chosen on val and compared on test. Two latencies that cannot be told apart are equal.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.compounding.arms import HAND_ARMS, OUR_SEARCH, THINNER
from benchmarks.compounding.figures import Figures, NetworkFigures, SeedFigures

WANTED_GAIN, WANTED_WORST, WANTED_MEMBERS = 0.01, -0.005, 6
"""Minimum mean gain, minimum gain of any comparison, and minimum number of members that dominate thinner cuts."""
WANTED_RUNS = 0.8
"""Share of runs in which the search must be at least the best by hand."""
MAX_COST = 1.25
"""Maximum of epochs weighted by FLOPs, and of seconds, that the search may take, as a multiple of the best by hand."""
NO_MEMBER = -math.inf
"""Gain of a search without a network that is as fast."""


@dataclass(frozen=True)
class Comparison:
    """A search at the latency of one network by hand.

    Attributes:
        hand: Name of the network by hand that sets the latency.
        rival: Name of the best network by hand that is no slower.
        gain: Accuracy on test of the search's network, minus that of the rival; minus infinity if the search has none
            that is as fast.
    """

    hand: str
    rival: str
    gain: float


@dataclass(frozen=True)
class RunVerdict:
    """The comparisons of one data set and seed.

    Attributes:
        members: For each network by hand the number of the search's networks that dominate one of its thinner cuts.
        by_flops: Epochs of the search weighted by FLOPs, as a multiple of those of the best by hand.
        by_seconds: The same of seconds of training.
    """

    data: str
    seed: int
    comparisons: tuple[Comparison, ...]
    members: Mapping[str, int]
    by_flops: float
    by_seconds: float

    @property
    def is_at_least(self) -> bool:
        """True if, at the latency of each network by hand, the search is at least as accurate as the best by hand."""
        return self.worst >= 0

    @property
    def worst(self) -> float:
        """Smallest gain."""
        return min(each.gain for each in self.comparisons)

    @property
    def is_complete(self) -> bool:
        """True if the search was compared at the latencies of all networks by hand."""
        return {each.hand for each in self.comparisons} == set(HAND_ARMS)


@dataclass(frozen=True)
class Verdict:
    """The verdict on a search over all runs; at least one."""

    runs: Sequence[RunVerdict]
    search: str = OUR_SEARCH

    @property
    def gains(self) -> list[float]:
        """Gains of all comparisons."""
        return [each.gain for run in self.runs for each in run.comparisons]

    @property
    def known_gains(self) -> list[float]:
        """Gains where the search has a network that is as fast."""
        return [gain for gain in self.gains if gain > NO_MEMBER]

    @property
    def mean(self) -> float:
        """Mean of the gains; minus infinity if the search lacks a network for one of them."""
        return sum(self.gains) / len(self.gains)

    @property
    def held(self) -> int:
        """Number of runs in which the search is at least the best by hand."""
        return sum(run.is_at_least for run in self.runs)

    @property
    def fewest_members(self) -> int:
        """Number of networks that dominate thinner cuts of a network by hand, in the run with the fewest.

        Of a run the greatest number counts: that of the network by hand whose cuts are dominated most.
        """
        return min((max(run.members.values()) for run in self.runs if run.members), default=0)

    @property
    def is_won(self) -> bool:
        """True if all minimums and the maximum cost are kept."""
        runs = self.held >= WANTED_RUNS * len(self.runs) and all(run.is_complete for run in self.runs)
        figures = self.mean >= WANTED_GAIN and min(self.gains) >= WANTED_WORST
        costs = max(max(run.by_flops, run.by_seconds) for run in self.runs) <= MAX_COST
        return runs and figures and costs and self.fewest_members >= WANTED_MEMBERS

    def text(self) -> str:
        """Return the verdict as a sentence."""
        partial = sum(not run.is_complete for run in self.runs)
        lacking = f" ({partial} of them lack a network by hand)" if partial else ""
        return (
            f"{self.search} is at least the best of {HAND_ARMS[0]} to {HAND_ARMS[-1]} in {self.held} of "
            f"{len(self.runs)} runs{lacking}{self.gains_text()}"
        )

    def gains_text(self) -> str:
        """Return the end of a sentence: mean and minimum of the known gains, and the number of those that are not."""
        known, count = self.known_gains, len(self.gains)
        missing = count - len(known)
        without = f" At {missing} of {count} latencies it has no network that is as fast." if missing else ""
        figures = f", on average {signed(sum(known) / len(known))}, at worst {signed(min(known))}" if known else ""
        return f"{figures}.{without}"


def verdict_of(figures: Figures, search: str = OUR_SEARCH) -> Verdict | None:
    """Return the verdict on a search; None if no run has it and a network by hand."""
    runs = [
        _run_verdict(data, seed, each, search)
        for data, seeds in figures.items()
        for seed, each in seeds.items()
        if search in each.arms and hand_networks(each)
    ]
    return Verdict(runs, search) if runs else None


def _run_verdict(data: str, seed: int, figures: SeedFigures, search: str) -> RunVerdict:
    best = max(hand_networks(figures).values(), key=lambda each: each.val)
    hand, spent = figures.arms[best.name], figures.arms[search]
    return RunVerdict(
        data=data,
        seed=seed,
        comparisons=tuple(compare(figures, search)),
        members=dominating_members(figures, search),
        by_flops=spent.flop_epochs / hand.flop_epochs,
        by_seconds=spent.seconds / max(hand.seconds, 1e-9),
    )


def compare(figures: SeedFigures, search: str = OUR_SEARCH) -> Iterable[Comparison]:
    """Yield a comparison for each network by hand; none if the search is missing."""
    hand = hand_networks(figures)
    if search not in figures.arms:
        return
    for name, network in hand.items():
        rival = max((each for each in hand.values() if is_as_fast(each, network)), key=lambda each: each.val)
        found = at_latency(figures.arms[search].networks, network)
        yield Comparison(name, rival.name, NO_MEMBER if found is None else found.test - rival.test)


def hand_networks(figures: SeedFigures) -> dict[str, NetworkFigures]:
    """Return the networks by hand by the name of their arm."""
    return {arm: figures.arms[arm].networks[0] for arm in HAND_ARMS if arm in figures.arms}


def best_by_hand_of(figures: SeedFigures) -> NetworkFigures | None:
    """Return the network by hand with the best accuracy on val; None if there is none."""
    return max(hand_networks(figures).values(), key=lambda each: each.val, default=None)


def at_latency(networks: Iterable[NetworkFigures], limit: NetworkFigures) -> NetworkFigures | None:
    """Return the network with the best accuracy on val that is no slower than another one; None if there is none."""
    return max((each for each in networks if is_as_fast(each, limit)), key=lambda each: each.val, default=None)


def is_as_fast(network: NetworkFigures, limit: NetworkFigures) -> bool:
    """Return whether a network is no slower than another one, or cannot be told apart from it."""
    return network.ms <= limit.ms or limit.name in network.ties or network.name in limit.ties


def dominating_members(figures: SeedFigures, search: str = OUR_SEARCH) -> dict[str, int]:
    """Return for each network by hand the number of a search's networks that dominate one of its thinner cuts.

    A network dominates another one if it is no slower and, on test, no less accurate.
    """
    if THINNER not in figures.arms or search not in figures.arms:
        return {}
    counts = {}
    for hand in hand_networks(figures):
        cuts = [each for each in figures.arms[THINNER].networks if each.name.startswith(f"{THINNER}/{hand} ")]
        counts[hand] = sum(
            any(is_as_fast(member, cut) and member.test >= cut.test for cut in cuts)
            for member in figures.arms[search].networks
        )
    return counts


def signed(value: float) -> str:
    """Return a difference of accuracies: `+0.012`; `no network` if there is none to compare."""
    return f"{value:+.3f}" if math.isfinite(value) else "no network"
