"""Sensitivity of the channel groups, and the widths that follow: groups with little effect are cut most.

Maps are measured by `objectives.training.sensitivity`.

Source: the sensitivity analysis of FastNAS in NVIDIA's Model Optimizer, which cuts one layer at a time, measures the
loss, and gives all layers the same tolerance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from statistics import median
from typing import final

from spaces.allocation.allocation import Allocation
from spaces.ranking.importance import Scores
from spaces.ranking.widths import aligned


@dataclass(frozen=True)
class SensitivityMap:
    """The loss, or mAP50-95, of a network when one channel group alone is cut.

    Attributes:
        measure: Name of the measured value: `loss` or `map50_95`.
        whole: Value of the uncut network.
        ratios: Shares of channels that were kept, ascending, each in (0, 1).
        values: Value at each ratio, by group; groups of a tie are one entry, by the tie's name.
    """

    measure: str
    whole: float
    ratios: tuple[float, ...]
    values: Mapping[str, tuple[float, ...]]

    def loss_increases(self, name: str) -> tuple[float, ...]:
        """Return the increase of the loss (or decrease of mAP50-95) at each ratio; never less for a narrower cut.

        Measurements are noisy, so the greatest increase of all wider cuts counts; it is at least 0.
        """
        sign = 1 if self.measure == "loss" else -1
        worse = [max(0.0, sign * (value - self.whole)) for value in reversed(self.values[name])]
        return tuple(accumulate(worse, max))[::-1]


@final
@dataclass(frozen=True)
class SensitivityAllocation(Allocation):
    """Allocation by sensitivity: each group is cut until the same increase of the loss is reached.

    The tolerance falls from infinity at strength 0 to zero at strength 1.

    Attributes:
        ties: Name of each group in the map.
    """

    map: SensitivityMap
    ties: Mapping[str, str]

    @cached_property
    def _scale(self) -> float:
        """Typical increase of the loss, so that strengths mean the same for every network and measure."""
        return median(self.map.loss_increases(name)[0] for name in self.map.values) or 1.0

    def widths(self, scores: Scores, strength: float, multiple: int) -> Mapping[str, int]:
        """Return the narrowest width of each group within the tolerance, interpolated between the measured ratios."""
        tolerance = self._scale * (1 / strength - 1)
        return {
            name: aligned(len(of), self._ratio(self.ties[name], tolerance), multiple) for name, of in scores.items()
        }

    def _ratio(self, name: str, tolerance: float) -> float:
        ratios = (*self.map.ratios, 1.0)
        falling = (*self.map.loss_increases(name), 0.0)
        # The narrowest measured ratio within the tolerance.
        place = next(i for i, increase in enumerate(falling) if increase <= tolerance)
        if place == 0:
            return ratios[0]
        wide, narrow = falling[place], falling[place - 1]
        return ratios[place] - (ratios[place] - ratios[place - 1]) * (tolerance - wide) / (narrow - wide)
