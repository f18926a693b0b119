"""Raw times of a network and the reference, timed in turn, and their ratio. Needs only numpy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from objectives.device.activity import DeviceActivity

Values = NDArray[np.float64]

T_975 = (12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)
"""Student's t for 95 %, two-sided, with 1, 2, ... 15 degrees of freedom; the timing process has no scipy."""

TWO_CHECKS = 1.05
"""Factor that widens an interval that is checked twice: each check is a chance to stop too early."""

LEAST_LOADINGS = 3
"""Minimum number of loadings for a useful interval."""

LEAST_SLOW = 0.5
"""Share of the blocks that count if the machine was always slow: those with the fastest reference."""

LEAST_UNDISTURBED = 2
"""Minimum number of undisturbed blocks of a loading that counts; a single one probably lies between two slow phases."""


@dataclass(frozen=True)
class Interval:
    """Median with its 95 % interval."""

    median: float
    low: float
    high: float

    @property
    def relative_width(self) -> float:
        """Width of the interval as a share of the median."""
        return (self.high - self.low) / self.median


def interval_of(loadings: Sequence[Sequence[float] | Values]) -> Interval:
    """Return the median of all values, with a 95 % interval that treats each loading as one independent sample.

    Two loadings of the same file differ by 0.5 to 1 % (by their layout in memory), so values of one loading are not
    independent samples. The interval is computed from the medians of the loadings, by Student's t on their logarithms.
    A bootstrap over few loadings covers the true value in only 88 to 93 % of the cases.

    Args:
        loadings: Values of each loading, all above zero. A single loading has an infinite interval.
    """
    middle = float(np.median(np.concatenate([np.asarray(values, dtype=np.float64) for values in loadings])))
    if len(loadings) < 2:
        return Interval(middle, 0.0, float("inf"))
    medians = np.log([np.median(values) for values in loadings])
    reach = float(np.exp(TWO_CHECKS * _t(len(loadings) - 1) * medians.std(ddof=1) / np.sqrt(len(loadings))))
    return Interval(middle, middle / reach, middle * reach)


def _t(freedom: int) -> float:
    return T_975[freedom - 1] if freedom <= len(T_975) else 1.96 + 2.6 / freedom


@dataclass(frozen=True)
class Block:
    """Times of consecutive runs of one network, in seconds, by both clocks."""

    cpu_s: tuple[float, ...]
    wall_s: tuple[float, ...]

    def seconds(self, clock: str) -> tuple[float, ...]:
        """Return the times by `cpu` or `wall`."""
        return self.cpu_s if clock == "cpu" else self.wall_s

    def median_s(self, clock: str) -> float:
        """Return the median of the block."""
        return median(self.seconds(clock))


@dataclass(frozen=True)
class Loading:
    """Observations between loading a network and releasing it.

    Attributes:
        reference: One block more than `network`: reference, network, reference, ..., network, reference.
        network: Blocks of the network; empty if only the reference was timed.
    """

    reference: tuple[Block, ...]
    network: tuple[Block, ...]

    def ratios(self, clock: str) -> Values:
        """Return network / reference for each block of the network, with the reference before and after it."""
        return np.array([block.median_s(clock) for block in self.network]) / self.levels_s(clock)

    def levels_s(self, clock: str) -> Values:
        """Return the reference's time around each block of the network: the mean of before and after, in seconds."""
        before, after = self._around(clock)
        levels: Values = (before + after) / 2
        return levels

    def slower_s(self, clock: str) -> Values:
        """Return, for each block of the network, the slower reference block before or after it, in seconds."""
        return np.maximum(*self._around(clock))

    def _around(self, clock: str) -> tuple[Values, Values]:
        reference = np.array([block.median_s(clock) for block in self.reference])
        return reference[:-1], reference[1:]


@dataclass(frozen=True)
class Timings:
    """All observations of one measurement.

    Attributes:
        loadings: One entry for each time that the network was loaded.
        slow_s: Time of a reference block above which the machine was in a slow phase.
        cpu_seconds: CPU time of the whole measurement, including loading.
        circumstances: Other work on the device during the measurement.
    """

    loadings: tuple[Loading, ...]
    cpu_seconds: float
    slow_s: float = math.inf
    circumstances: DeviceActivity = field(default_factory=DeviceActivity)

    def ratios(self, clock: str) -> Values:
        """Return network / reference for each block of the network, in the order of timing, including slow phases."""
        return np.concatenate([loading.ratios(clock) for loading in self.loadings])

    def ratio(self, clock: str) -> Interval:
        """Return the median ratio and its interval, without slow phases unless too little is left without them.

        Other work on the same processor slows a machine by half for some seconds, and some networks more than others,
        so that the ratio differs in such a phase.
        """
        return interval_of(self.kept(clock))

    def kept(self, clock: str) -> list[Values]:
        """Return the ratios of each loading that count: those outside of slow phases, or else the least slow ones."""
        undisturbed = self.undisturbed(clock)
        if len(undisturbed) >= 2:
            return undisturbed
        bound = np.quantile(np.concatenate([loading.slower_s(clock) for loading in self.loadings]), LEAST_SLOW)
        found = [loading.ratios(clock)[loading.slower_s(clock) <= bound] for loading in self.loadings]
        least_slow = [ratios for ratios in found if len(ratios)]
        return least_slow if len(least_slow) >= 2 else [loading.ratios(clock) for loading in self.loadings]

    def undisturbed(self, clock: str) -> list[Values]:
        """Return the ratios of each loading outside of slow phases; loadings with too few are left out.

        For timings of the reference alone return the times in seconds of each loading that was not slow.
        """
        if self._reference_alone:
            rows = [np.array(_runs(loading.reference, clock)) for loading in self.loadings]
            return [row for row in rows if np.median(row) <= self.slow_s]
        found = [loading.ratios(clock)[loading.slower_s(clock) <= self.slow_s] for loading in self.loadings]
        return [ratios for ratios in found if len(ratios) >= LEAST_UNDISTURBED]

    @property
    def _reference_alone(self) -> bool:
        return not any(loading.network for loading in self.loadings)

    def contended(self, clock: str) -> bool | None:
        """Return whether other work was seen: as a process, or by a machine that was slow for most of the time."""
        slow = len(self.undisturbed(clock)) < LEAST_LOADINGS <= len(self.loadings)
        return True if slow else self.circumstances.contended

    def reference_ms(self, clock: str) -> Interval:
        """Return the time of the reference in ms."""
        if self._reference_alone and len(undisturbed := self.undisturbed(clock)) >= LEAST_LOADINGS:
            return interval_of([row * 1e3 for row in undisturbed])
        return interval_of([np.array(_runs(loading.reference, clock)) * 1e3 for loading in self.loadings])

    def percentiles_ms(self, clock: str) -> tuple[float, float, float]:
        """Return the 50th, 90th and 99th percentile of the network's times in ms, not corrected by the reference."""
        runs = [run for loading in self.loadings for run in _runs(loading.network, clock)]
        p50, p90, p99 = np.percentile(np.array(runs) * 1e3, (50, 90, 99))
        return float(p50), float(p90), float(p99)

    def spread(self, clock: str) -> float:
        """Return the spread of single blocks: median absolute deviation x 1.4826, as a share of the median.

        For normal noise it is the standard deviation; slow phases of the machine hardly change it.
        """
        ratios = self.ratios(clock)
        middle = np.median(ratios)
        return float(1.4826 * np.median(np.abs(ratios - middle)) / middle)

    @cached_property
    def runs(self) -> int:
        """Number of timed runs of the network."""
        return sum(len(block.wall_s) for loading in self.loadings for block in loading.network)

    def as_plain(self) -> dict[str, Any]:
        """Return plain values, to send them to another process."""
        return {
            "loadings": [[_plain(loading.reference), _plain(loading.network)] for loading in self.loadings],
            "cpu_seconds": self.cpu_seconds,
            "slow_s": self.slow_s if math.isfinite(self.slow_s) else None,
            "circumstances": self.circumstances.as_plain(),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Timings:
        """Return the opposite of `as_plain`."""
        loadings = tuple(Loading(blocks_of(reference), blocks_of(network)) for reference, network in plain["loadings"])
        slow_s = math.inf if plain["slow_s"] is None else plain["slow_s"]
        return cls(loadings, plain["cpu_seconds"], slow_s, DeviceActivity.from_plain(plain["circumstances"]))


def blocks_of(values: Sequence[Sequence[Sequence[float]]]) -> tuple[Block, ...]:
    """Return blocks from plain values."""
    return tuple(Block(tuple(cpu_s), tuple(wall_s)) for cpu_s, wall_s in values)


def _plain(blocks: Sequence[Block]) -> list[list[tuple[float, ...]]]:
    return [[block.cpu_s, block.wall_s] for block in blocks]


def _runs(blocks: Sequence[Block], clock: str) -> list[float]:
    return [run for block in blocks for run in block.seconds(clock)]
