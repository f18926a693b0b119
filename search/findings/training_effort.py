"""The cost of a study's trials, and the front's hypervolume by number of trials and by training time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from search.record.continuation import continued_trials
from search.record.number_text import duration
from search.record.trial import Outcome, TrialRecord
from search.record.words import OUTCOME_WORDS
from search.store.entries import FrontEntry


class HypervolumePoint(NamedTuple):
    """The front's hypervolume after a number of counted trials, and the seconds that these trained in total."""

    trials: int
    training_s: float
    hypervolume: float


@dataclass(frozen=True)
class TrainingEffort:
    """The cost of a study's trials.

    Attributes:
        outcomes: Number of trials by outcome.
        epochs: Epochs that were trained.
        continued_epochs: Those of them that trained the network of an earlier trial further.
        spared_epochs: Epochs that stopped trials did not train.
        repeated_epochs: Epochs of repeated trainings, which are no trials; they are not among `epochs`.
        training_s: Seconds of training, summed over all trials.
    """

    outcomes: Counter[Outcome]
    epochs: int
    continued_epochs: int
    spared_epochs: int
    training_s: float
    repeated_epochs: int = 0


def hypervolume_history(records: Sequence[TrialRecord], fronts: Sequence[FrontEntry]) -> tuple[HypervolumePoint, ...]:
    """Return a point for each change of the front and one for the present; nothing if there is no front.

    Args:
        records: In the order in which they were stored.
        fronts: Oldest first.
    """
    if not fronts:
        return ()
    counted = [record for record in trials_of(records) if record.outcome is not Outcome.DUPLICATE]
    seconds = [0.0, *accumulate(record.seconds.get("training", 0.0) for record in counted)]
    volumes = {front.after: front.hypervolume for front in fronts}
    volumes.setdefault(max(len(counted), *volumes), fronts[-1].hypervolume)
    points = volumes.items()
    return tuple(HypervolumePoint(after, seconds[min(after, len(counted))], volume) for after, volume in points)


def training_effort(records: Iterable[TrialRecord]) -> TrainingEffort:
    """Return the cost of a study's trials; of the reference rows only repeated trainings are counted, by themselves."""
    known = list(records)
    trials = trials_of(known)
    trained = [record for record in trials if record.rungs]
    stopped = [record for record in trained if record.outcome is Outcome.STOPPED]
    spared = sum(int(record.recipe["epochs"]) - record.rungs[-1].epoch for record in stopped)
    return TrainingEffort(
        Counter(record.outcome for record in trials),
        sum(record.epochs for record in trained),
        sum(record.epochs for record in continued_trials(tuple(known))),
        spared,
        sum(record.seconds.get("training", 0.0) for record in trials),
        sum(record.epochs for record in known if record.is_repeated),
    )


def effort_text(found: TrainingEffort) -> str:
    """Return the effort as `12 complete, 10 stopped; 93 epochs trained in 4 min 10 s, 61 spared by stopping`.

    Before the spared ones: `40 of them to train finalists further, 5 more to repeat a training`.
    """
    counts = [f"{found.outcomes[o]} {OUTCOME_WORDS[o]}" for o in Outcome if found.outcomes[o]]
    text = ", ".join(counts) or "none yet"
    if not found.epochs:
        return text
    text += f"; {found.epochs} epochs trained in {duration(found.training_s)}"
    if found.continued_epochs:
        text += f", {found.continued_epochs} of them to train finalists further"
    if found.repeated_epochs:
        text += f", {found.repeated_epochs} more to repeat a training"
    return text + (f", {found.spared_epochs} spared by stopping" if found.spared_epochs else "")


def trials_of(records: Iterable[TrialRecord]) -> list[TrialRecord]:
    """Return the records without the reference rows."""
    return [record for record in records if not record.is_reference]
