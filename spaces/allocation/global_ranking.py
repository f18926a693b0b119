"""Global ranking of all channels of the network: the most important ones stay, whichever group they are in.

Groups are made comparable by dividing each channel's score by the mean of its group, as Torch-Pruning does by default
(`global_pruning=True` with the normalizer `mean`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from spaces.allocation.allocation import Allocation
from spaces.ranking.importance import Scores
from spaces.ranking.widths import aligned


@final
@dataclass(frozen=True)
class GlobalRanking(Allocation):
    """Allocation by global ranking; the strength is the share of all channels that stay.

    Attributes:
        relative: Whether scores are divided by the mean of their group first. LAMP scores are comparable as they are.
    """

    relative: bool = True

    def widths(self, scores: Scores, strength: float, multiple: int) -> Mapping[str, int]:
        """Return the number of channels of each group that are among the best of the network."""
        if self.relative:
            scores = {name: _relative(of) for name, of in scores.items()}
        everything = sorted((value for of in scores.values() for value in of.values()), reverse=True)
        return widths_above(scores, everything[max(1, round(len(everything) * strength)) - 1], multiple)


def widths_above(scores: Scores, threshold: float, multiple: int) -> dict[str, int]:
    """Return the number of channels of each group that reach the threshold, rounded: at least one multiple."""
    return {
        name: aligned(len(of), sum(value >= threshold for value in of.values()) / len(of), multiple)
        for name, of in scores.items()
    }


def _relative(of: Mapping[int, float]) -> dict[int, float]:
    mean = sum(of.values()) / len(of) or 1.0
    if math.isinf(mean):  # a group that a criterion cannot judge, and that is therefore left whole
        return dict(of)
    return {channel: value / mean for channel, value in of.items()}
