"""The contract of a stopping rule: at each rung it decides whether a trial is worth the rest of its training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from objectives.base import Direction, EpochResult
from objectives.quantities import LATENCY_MS, MAP50_95
from search.record.trial import TrialRecord


def compared(accuracy: str) -> tuple[tuple[str, Direction], ...]:
    """Return the objectives that most rules compare trials by: the accuracy of learning curves, and latency."""
    return ((accuracy, Direction.MAXIMIZE), (LATENCY_MS.name, Direction.MINIMIZE))


@dataclass(frozen=True)
class RunningTrial:
    """A trial at a rung, an epoch at which it was scored.

    Attributes:
        latency_ms: Latency of its network, known before training.
        curve: Its learning curve so far, the newest epoch last.
        epochs: Number of epochs of its whole training.
    """

    latency_ms: float
    curve: Sequence[EpochResult]
    epochs: int

    @property
    def epoch(self) -> int:
        """The epoch of the present rung; 0 before the first."""
        return self.curve[-1].epoch if self.curve else 0

    @property
    def may_stop(self) -> bool:
        """True if anything is left to save: it was scored, and this is not its last epoch."""
        return 0 < self.epoch < self.epochs


class StoppingRule(ABC):
    """Decides at a rung whether a trial is stopped. Uses no database, no clock and no random numbers.

    Attributes:
        name: Its name in studies.
        compares_trials: Whether it compares with other trials; if not, their records are not read.
    """

    name: str
    compares_trials: bool = True

    @final
    def reason_to_stop(self, trial: RunningTrial, others: Sequence[TrialRecord]) -> str:
        """Return why the trial is stopped now; an empty text if it goes on. No trial is stopped in its last epoch.

        Args:
            others: Records of the study: other trials that ended, and parent, donors and controls.
        """
        return self.judge(trial, others) if trial.may_stop else ""

    @abstractmethod
    def judge(self, trial: RunningTrial, others: Sequence[TrialRecord]) -> str:
        """Decide as `reason_to_stop`, for a trial that was scored and is not in its last epoch."""

    def handles(self, objectives: Sequence[tuple[str, Direction]], accuracy: str = MAP50_95.name) -> bool:
        """Return whether it knows all objectives of a study; most rules know accuracy and latency alone.

        Args:
            accuracy: Name of the accuracy that the study's learning curves show.
        """
        return set(objectives) == set(compared(accuracy))


@final
@dataclass(frozen=True)
class NeverStop(StoppingRule):
    """Trains every trial to its end."""

    name = "none"
    compares_trials = False

    def judge(self, trial: RunningTrial, others: Sequence[TrialRecord]) -> str:
        """See `StoppingRule`."""
        return ""

    def handles(self, objectives: Sequence[tuple[str, Direction]], accuracy: str = MAP50_95.name) -> bool:
        """Return True: it needs no objective."""
        return True
