"""The seam between a worker and the trials that it runs. Workers know nothing of networks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from objectives.base import EpochResult
from search.record.trial import TrialRecord
from spaces.base import ParamValue


@dataclass(frozen=True)
class Hooks:
    """What a trial needs from the outside while it runs.

    Attributes:
        earlier: Claims an identity; the name of the record that has it already, else None.
        report: Called with each point of the learning curve; may raise to interrupt the trial.
        say: Called with what happens now, for the progress display.
        clock: The present time, UTC.
        stop: From the network's latency in ms, the curve so far and the epochs of the whole training to the reason why
            the trial is stopped now; empty if it goes on.
    """

    earlier: Callable[[str], str | None]
    report: Callable[[EpochResult], None]
    say: Callable[[str], None]
    clock: Callable[[], datetime]
    stop: Callable[[float, Sequence[EpochResult], int], str] = lambda latency_ms, curve, epochs: ""


class TrialRunner(ABC):
    """Runs trials."""

    @abstractmethod
    def run(self, number: int, params: Mapping[str, ParamValue], hooks: Hooks) -> TrialRecord:
        """Run one trial to its end. A candidate at fault is a record with a reason; other faults propagate."""

    @abstractmethod
    def given_up(self, number: int, params: Mapping[str, ParamValue], reason: str, now: datetime) -> TrialRecord:
        """The record of a trial that is not tried again."""
