"""Which trials go on: at each scored epoch a trial may be stopped, if it will not reach the front anyhow."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from objectives.base import Direction, EpochResult
from search.record.front import non_dominated
from search.record.latency_text import LATENCY
from search.record.staircase import Staircase
from search.record.trial import Outcome, TrialRecord
from search.trial.learning_curves import Curve, Ends

RULES = ("front", "mo-asha", "none")


class Rule(ABC):
    """Decides at an epoch whether a trial is stopped. Knows neither the database nor Optuna."""

    @abstractmethod
    def verdict(
        self, latency_ms: float, curve: Sequence[EpochResult], epochs: int, others: Sequence[TrialRecord]
    ) -> str:
        """Why the trial is stopped now; empty if it goes on.

        Args:
            latency_ms: Of its network, known since before its training.
            curve: What was scored so far, the newest last.
            epochs: Of its whole training: in the last nothing is stopped.
            others: Records of the study: trials that ended, and parent, donors and controls.
        """


@final
@dataclass(frozen=True)
class NeverStop(Rule):
    """Every trial is trained to its end."""

    def verdict(
        self, latency_ms: float, curve: Sequence[EpochResult], epochs: int, others: Sequence[TrialRecord]
    ) -> str:
        """Nothing is stopped."""
        return ""


@final
@dataclass(frozen=True)
class AgainstTheFront(Rule):
    """Stops what, even if it does as well as may be, ends below the front at its own latency.

    A fast network is compared with fast ones: it may learn slowly, and may stay far below what slow ones reach.

    Attributes:
        confidence: That it would not have reached the front. Chosen on half of a table of trainings: with 0.99 one in
            thirty of the front's members is stopped there, with 0.999 one in 200.
    """

    confidence: float = 0.999

    def verdict(
        self, latency_ms: float, curve: Sequence[EpochResult], epochs: int, others: Sequence[TrialRecord]
    ) -> str:
        """See `Rule`."""
        if curve[-1].epoch >= epochs:
            return ""
        foretold = Ends(complete_curves(others, epochs)).of(Curve(latency_ms, curve))
        bar = front_at(latency_ms, others)
        if foretold is None or bar is None or foretold.at_best(self.confidence) >= bar:
            return ""
        return (
            f"stopped at epoch {curve[-1].epoch}: will reach mAP50-95 {foretold.mean:.3f}, at most "
            f"{foretold.at_best(self.confidence):.3f}; the front has {bar:.3f} at {latency_ms:.3g} ms"
        )


@final
@dataclass(frozen=True)
class MoAsha(Rule):
    """Asynchronous successive halving for several objectives: of those at a rung the best part goes on.

    "Best" is by layers of non-dominated trials, in mAP at this epoch and latency.

    Source: Schmucker, Donini, Zafar, Salinas and Archambeau, Multi-objective Asynchronous Successive Halving,
    arXiv 2106.12639 (2021), section 3, with non-dominated sorting; Li et al., ASHA, MLSys 2020.

    Attributes:
        reduction: One of so many goes on.
    """

    reduction: int = 3

    def verdict(
        self, latency_ms: float, curve: Sequence[EpochResult], epochs: int, others: Sequence[TrialRecord]
    ) -> str:
        """See `Rule`."""
        epoch = curve[-1].epoch
        if epoch >= epochs or not self._is_rung(epoch):
            return ""
        rivals = [
            (result.map50_95, ms)
            for record in others
            if not record.is_reference and (ms := record.value(LATENCY)) is not None
            for result in record.rungs
            if result.epoch == epoch
        ]
        values = [*rivals, (curve[-1].map50_95, latency_ms)]
        place = _places(values)[-1]
        if place < max(1, round(len(values) / self.reduction)) or len(values) < self.reduction:
            return ""
        return f"stopped at epoch {epoch}: place {place + 1} of {len(values)} at this rung"

    def _is_rung(self, epoch: int) -> bool:
        while epoch > 1 and epoch % self.reduction == 0:
            epoch //= self.reduction
        return epoch == 1


def rule_named(name: str) -> Rule:
    """A rule by its name in a study.

    Raises:
        ValueError: If the name is none of `RULES`.
    """
    rules: dict[str, Rule] = {"front": AgainstTheFront(), "mo-asha": MoAsha(), "none": NeverStop()}
    if name not in rules:
        raise ValueError(f"rungs '{name}' are unknown; there are {', '.join(RULES)}")
    return rules[name]


def compares(objectives: Sequence[tuple[str, Direction]]) -> bool:
    """Whether rules see all that a study asks for: they know mAP50-95 and latency, and nothing of a third objective."""
    return set(objectives) == {("map50_95", Direction.MAXIMIZE), (LATENCY, Direction.MINIMIZE)}


def complete_curves(records: Sequence[TrialRecord], epochs: int) -> list[Curve]:
    """Curves of the trials that were trained to the end of so many epochs."""
    return [
        Curve(ms, record.rungs)
        for record in records
        if record.outcome is Outcome.COMPLETE and not record.is_reference and record.rungs
        if record.rungs[-1].epoch == epochs and (ms := record.value(LATENCY)) is not None
    ]


def front_at(latency_ms: float, records: Sequence[TrialRecord]) -> float | None:
    """The best mAP50-95 of a feasible record that is no slower and not polished; None if there is none."""
    known = [
        (ms, accuracy)
        for record in records
        if record.feasible and record.outcome is Outcome.COMPLETE and not record.is_polished
        if (ms := record.value(LATENCY)) is not None and (accuracy := record.value("map50_95")) is not None
    ]
    if not known:
        return None
    latency, accuracy = np.array(known).T
    height = float(Staircase.of(latency, accuracy, np.inf, -np.inf).height(np.array([latency_ms]))[0])
    return height if np.isfinite(height) else None


def _places(values: Sequence[tuple[float, float]]) -> list[int]:
    """The place of each among all: layer by layer of the non-dominated, within a layer in the order given."""
    directions = (Direction.MAXIMIZE, Direction.MINIMIZE)
    left, order = list(range(len(values))), list[int]()
    while left:
        layer = [left[place] for place in non_dominated([values[index] for index in left], directions)]
        order += layer
        left = [index for index in left if index not in layer]
    return [order.index(index) for index in range(len(values))]
