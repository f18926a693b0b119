"""Network slimming: channels with a small BatchNorm scale are cut, by one threshold for the whole network.

The scales show importance only after training with sparsity; then those of unneeded channels are near zero.

Source: Liu et al., "Learning Efficient Convolutional Networks through Network Slimming", ICCV 2017, section 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from spaces.allocation.allocation import Allocation
from spaces.allocation.global_ranking import GlobalRanking, widths_above
from spaces.ranking.importance import Scores


@final
@dataclass(frozen=True)
class Slimming(Allocation):
    """Allocation by network slimming; the strength is the share of all channels that stay.

    Scores must be BatchNorm scales (`importance.mean_scales`): they are compared across groups as they are.
    """

    def widths(self, scores: Scores, strength: float, multiple: int) -> Mapping[str, int]:
        """Return the number of scales of each group that are among the largest of the network."""
        return GlobalRanking(relative=False).widths(scores, strength, multiple)


@final
@dataclass(frozen=True)
class SlimmingAt(Allocation):
    """Fixed threshold, as people set it by hand (0.01).

    Attributes:
        threshold: Channels with a smaller scale are cut.
    """

    threshold: float = 0.01

    def widths(self, scores: Scores, strength: float, multiple: int) -> Mapping[str, int]:
        """Return the number of scales of each group that reach the threshold; the strength is not used."""
        return widths_above(scores, self.threshold, multiple)
