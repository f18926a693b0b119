"""Sensitivity of the channel groups, and the widths that follow: groups with little effect are cut most.

The map itself is measured elsewhere (`objectives.training.sensitivity`): this is what it says and how widths follow
from it.

Source: after the sensitivity analysis of FastNAS in NVIDIA's Model Optimizer, which cuts one layer at a time, notes the
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
    """Loss after cutting one group alone, for each group and ratio.

    Attributes:
        measure: What was measured, `loss` or `map50_95`.
        whole: Its value for the uncut network.
        ratios: Shares of channels that were kept, ascending, each in (0, 1).
        values: For each group (for all groups of a tie, under the tie's name) the value at each ratio.
    """

    measure: str
    whole: float
    ratios: tuple[float, ...]
    values: Mapping[str, tuple[float, ...]]

    def damage(self, name: str) -> tuple[float, ...]:
        """Return the increase of the loss at each ratio, at least 0 and never less for a narrower cut.

        Measurements are noisy; the greatest damage of all wider cuts counts.
        """
        sign = 1 if self.measure == "loss" else -1
        worse = [max(0.0, sign * (value - self.whole)) for value in reversed(self.values[name])]
        return tuple(accumulate(worse, max))[::-1]


@final
@dataclass(frozen=True)
class SensitivityAllocation(Allocation):
    """Allocation by sensitivity: each group is cut until the same increase of the loss is reached.

    A strength stands for a tolerance that falls from infinite (0) to none (1).

    Attributes:
        ties: For each group the name that the map knows it by.
    """

    map: SensitivityMap
    ties: Mapping[str, str]

    @cached_property
    def _scale(self) -> float:
        """Typical increase of the loss, so that strengths mean the same for every network and measure."""
        return median(self.map.damage(name)[0] for name in self.map.values) or 1.0

    def widths(self, scores: Scores, strength: float, multiple: int) -> Mapping[str, int]:
        """Return the narrowest width of each group whose damage is within the tolerance, between the measured ones."""
        tolerance = self._scale * (1 / strength - 1)
        return {
            name: aligned(len(of), self._ratio(self.ties[name], tolerance), multiple) for name, of in scores.items()
        }

    def _ratio(self, name: str, tolerance: float) -> float:
        ratios = (*self.map.ratios, 1.0)
        falling = (*self.map.damage(name), 0.0)
        # The first ratio, from the narrow end, whose damage is within the tolerance.
        place = next(i for i, damage in enumerate(falling) if damage <= tolerance)
        if place == 0:
            return ratios[0]
        wide, narrow = falling[place], falling[place - 1]
        return ratios[place] - (ratios[place] - ratios[place - 1]) * (tolerance - wide) / (narrow - wide)
