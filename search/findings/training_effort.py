"""How a study's front grew, against trials and against the time that they trained, and what was saved meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from search.record.number_text import duration
from search.record.trial import Outcome, TrialRecord
from search.store.base import FrontEntry


class Grown(NamedTuple):
    """The front's hypervolume after so many counted trials, which trained for so long in all."""

    trials: int
    training_s: float
    hypervolume: float


@dataclass(frozen=True)
class Effort:
    """What a study's trials cost.

    Attributes:
        outcomes: How many trials ended in each way.
        epochs: That were trained.
        spared_epochs: That stopped trials did not train any more.
        training_s: Seconds of training, of all trials together.
    """

    outcomes: Counter[Outcome]
    epochs: int
    spared_epochs: int
    training_s: float


def growth(records: Sequence[TrialRecord], fronts: Sequence[FrontEntry]) -> tuple[Grown, ...]:
    """Each time that the front changed, and where the study stands now; nothing before there is a front.

    Args:
        records: In the order in which they were stored.
        fronts: Oldest first.
    """
    if not fronts:
        return ()
    counted = [record for record in trials_of(records) if record.outcome is not Outcome.DUPLICATE]
    seconds = [0.0, *accumulate(record.seconds.get("training", 0.0) for record in counted)]
    grown = {front.after: front.hypervolume for front in fronts}
    grown.setdefault(max(len(counted), *grown), fronts[-1].hypervolume)
    return tuple(Grown(after, seconds[min(after, len(counted))], volume) for after, volume in grown.items())


def effort(records: Iterable[TrialRecord]) -> Effort:
    """Of a study's trials; reference rows are not counted."""
    trials = trials_of(records)
    trained = [record for record in trials if record.rungs]
    stopped = [record for record in trained if record.outcome is Outcome.STOPPED]
    spared = sum(int(record.recipe["epochs"]) - record.rungs[-1].epoch for record in stopped)
    return Effort(
        Counter(record.outcome for record in trials),
        sum(record.rungs[-1].epoch for record in trained),
        spared,
        sum(record.seconds.get("training", 0.0) for record in trials),
    )


def in_words(found: Effort) -> str:
    """`12 complete, 10 stopped, 8 ruled out; 93 epochs trained in 4 min 10 s, 61 more spared by stopping`."""
    counts = [f"{found.outcomes[o]} {o.value.replace('_', ' ')}" for o in Outcome if found.outcomes[o]]
    text = ", ".join(counts) or "none yet"
    if not found.epochs:
        return text
    text += f"; {found.epochs} epochs trained in {duration(found.training_s)}"
    return text + (f", {found.spared_epochs} more spared by stopping" if found.spared_epochs else "")


def trials_of(records: Iterable[TrialRecord]) -> list[TrialRecord]:
    """Without the reference rows."""
    return [record for record in records if not record.is_reference]
