"""The rule `mo-asha`: asynchronous successive halving for several objectives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from objectives.base import Direction
from search.record.front import non_dominated
from search.record.latency_text import LATENCY
from search.record.trial import TrialRecord
from search.trial.stopping import RunningTrial, StoppingRule


@final
@dataclass(frozen=True)
class MoAsha(StoppingRule):
    """Lets the best part of the trials at a rung go on; epochs are the fidelity.

    Trials are ranked by layers of non-dominated trials, in accuracy at this epoch and latency.

    Source: Schmucker, Donini, Zafar, Salinas and Archambeau, Multi-objective Asynchronous Successive Halving,
    arXiv 2106.12639 (2021), section 3, with non-dominated sorting; Li et al., ASHA, MLSys 2020.

    Attributes:
        reduction: Reduction factor: one of `reduction` trials goes on, and rungs are its powers.
    """

    reduction: int = 3
    name = "mo-asha"

    def judge(self, trial: RunningTrial, others: Sequence[TrialRecord]) -> str:
        """See `StoppingRule`."""
        if not self._is_rung(trial.epoch):
            return ""
        rivals = [
            (result.map50_95, ms)
            for record in others
            if not record.is_reference and (ms := record.value(LATENCY)) is not None
            for result in record.rungs
            if result.epoch == trial.epoch
        ]
        values = [*rivals, (trial.curve[-1].map50_95, trial.latency_ms)]
        place = _places(values)[-1]
        if place < max(1, round(len(values) / self.reduction)) or len(values) < self.reduction:
            return ""
        return f"stopped at epoch {trial.epoch}: place {place + 1} of {len(values)} at this rung"

    def _is_rung(self, epoch: int) -> bool:
        while epoch > 1 and epoch % self.reduction == 0:
            epoch //= self.reduction
        return epoch == 1


def _places(values: Sequence[tuple[float, float]]) -> list[int]:
    """Return the place of each value, from 0: by layers of non-dominated values, in a layer in the order given."""
    directions = (Direction.MAXIMIZE, Direction.MINIMIZE)
    left, order = list(range(len(values))), list[int]()
    while left:
        layer = [left[place] for place in non_dominated([values[index] for index in left], directions)]
        order += layer
        left = [index for index in left if index not in layer]
    return [order.index(index) for index in range(len(values))]
