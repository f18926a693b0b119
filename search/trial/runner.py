"""The interface between a worker and the trials that it runs. Workers know nothing of networks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from objectives.base import EpochResult
from search.kept.takes import EarlierTakes
from search.record.stopwatch import Clock
from search.record.trial import TrialRecord
from spaces.base import ParamValue


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """Functions of the worker that a trial calls while it runs.

    Attributes:
        claim_identity: Claims an identity for the trial. Returns the name of the record that has it already, else None.
        report: Called with each point of the learning curve; may raise to interrupt the trial.
        show_stage: Called with the stage that begins (`training`), for the progress display.
        clock: Returns the present time, UTC.
        reason_to_stop: Returns why the trial is stopped now, empty if it goes on. Its arguments are the network's
            latency in ms, the learning curve so far, and the number of epochs of the whole training.
        tries: The attempt's number of tries.
        deaths: Number of deaths of its workers that are known.
    """

    claim_identity: Callable[[str], str | None]
    report: Callable[[EpochResult], None]
    show_stage: Callable[[str], None]
    clock: Clock
    reason_to_stop: Callable[[float, Sequence[EpochResult], int], str] = lambda latency_ms, curve, epochs: ""
    tries: int = 1
    deaths: int = 0


class TrialRunner(ABC):
    """Runs trials."""

    @abstractmethod
    def run(self, number: int, params: Mapping[str, ParamValue], hooks: Hooks) -> TrialRecord:
        """Run one trial to its end. A fault of the candidate is a record with a reason; other faults propagate."""

    @abstractmethod
    def give_up(self, number: int, params: Mapping[str, ParamValue], reason: str, now: datetime) -> TrialRecord:
        """Return the failed record of a trial that is not tried again."""

    def earlier_takes(self, number: int) -> EarlierTakes:
        """Return what is known of the earlier takes of a trial."""
        return EarlierTakes()

    def forget(self, number: int) -> None:
        """Delete what is kept of a trial whose record is stored."""
        return
