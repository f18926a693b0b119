"""Raw times of a network and the reference, taken in turn, and the ratio that they give. Needs numpy alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000


@dataclass(frozen=True)
class Interval:
    """A median with its 95 % bootstrap interval."""

    median: float
    low: float
    high: float

    @property
    def relative_width(self) -> float:
        """Width of the interval as a share of the median."""
        return (self.high - self.low) / self.median


def median_interval(values: Sequence[float] | NDArray[np.float64]) -> Interval:
    """Median and its 95 % interval by the percentile bootstrap; the same values give the same interval.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    array = np.asarray(values, dtype=np.float64)
    drawn = np.random.default_rng(0).integers(0, len(array), size=(RESAMPLES, len(array)))
    low, high = np.quantile(np.median(array[drawn], axis=1), (0.025, 0.975))
    return Interval(float(np.median(array)), float(low), float(high))


@dataclass(frozen=True)
class Block:
    """Runs of one network in a row, in seconds, by both clocks."""

    cpu_s: tuple[float, ...]
    wall_s: tuple[float, ...]

    def seconds(self, clock: str) -> tuple[float, ...]:
        """The times by `cpu` or `wall`."""
        return self.cpu_s if clock == "cpu" else self.wall_s

    def median_s(self, clock: str) -> float:
        """Median of the block."""
        return float(np.median(self.seconds(clock)))


@dataclass(frozen=True)
class Timings:
    """Everything one measurement saw.

    Attributes:
        reference: One block more than `network`: reference, network, reference, ..., network, reference.
        network: Empty where the reference alone was timed.
        cpu_seconds: CPU time that the whole measurement took, loading included.
        others_busy: CPU cores that other work kept busy meanwhile; None if the system does not tell.
    """

    reference: tuple[Block, ...]
    network: tuple[Block, ...]
    cpu_seconds: float
    others_busy: float | None

    def ratios(self, clock: str) -> NDArray[np.float64]:
        """Network / reference for each block of the network, against the reference before and after it."""
        reference = np.array([block.median_s(clock) for block in self.reference])
        network = np.array([block.median_s(clock) for block in self.network])
        return network / ((reference[:-1] + reference[1:]) / 2)

    def ratio(self, clock: str) -> Interval:
        """The median ratio and its interval."""
        return median_interval(self.ratios(clock))

    def reference_ms(self, clock: str) -> Interval:
        """The reference's own time in ms."""
        runs = [second for block in self.reference for second in block.seconds(clock)]
        return median_interval(np.array(runs) * 1e3)

    @cached_property
    def runs(self) -> int:
        """Timed runs of the network."""
        return sum(len(block.wall_s) for block in self.network)

    def as_plain(self) -> dict[str, Any]:
        """Plain values, for the way between two processes."""
        return {
            "reference": [[block.cpu_s, block.wall_s] for block in self.reference],
            "network": [[block.cpu_s, block.wall_s] for block in self.network],
            "cpu_seconds": self.cpu_seconds,
            "others_busy": self.others_busy,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Timings:
        """The opposite of `as_plain`."""

        def blocks(values: Sequence[Sequence[Sequence[float]]]) -> tuple[Block, ...]:
            return tuple(Block(tuple(cpu_s), tuple(wall_s)) for cpu_s, wall_s in values)

        return cls(blocks(plain["reference"]), blocks(plain["network"]), plain["cpu_seconds"], plain["others_busy"])
