"""The noise of training: how far two trainings of one network differ that begin with the same weights.

A study trains a trial once more with another seed. The two tell which differences in the table mean something.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from search.record.number_text import score
from search.record.trial import REPEATED, Outcome, TrialRecord, trained_accuracy

LEAST = 0.005
"""Minimum of the difference that is said to mean something: two trainings may be equal by chance."""
ASSUMED_NOISE = 0.01
"""Difference of accuracy that means nothing where no training was repeated."""
STEPS = (1, 1.5, 2, 3, 5, 10)
"""Leading figures that the difference is rounded up to."""


@dataclass(frozen=True)
class TrainingNoise:
    """Differences of accuracy on val between two trainings of one trial, by the trial's name; at least one.

    One pair is a poor estimate: in two cases of three the true deviation is between half of it and three times it.
    Both trainings begin with the same weights, so what came before them adds no noise here.
    """

    differences: Mapping[str, float]

    @property
    def deviation(self) -> float:
        """Standard deviation of the accuracy of a training: |difference| / sqrt(2), as the root mean square of all."""
        return self.typical / math.sqrt(2)

    @property
    def typical(self) -> float:
        """Root mean square of the differences."""
        return math.sqrt(sum(each**2 for each in self.differences.values()) / len(self.differences))

    @property
    def least_meaningful(self) -> float:
        """Twice the deviation of a difference, rounded up; at least `LEAST`."""
        return rounded_up(max(LEAST, 2 * math.sqrt(2) * self.deviation))

    def text(self) -> str:
        """Return `two trainings of trial 7 differ by 0.004: differences below 0.01 mean nothing`, and of how many."""
        names = list(self.differences)
        how = f"two trainings of {names[0]} differ by {score(self.typical)}"
        if len(names) > 1:
            how = f"two trainings each of {' and '.join(names)} differ by {score(self.typical)} on average"
        pairs = "one pair" if len(names) == 1 else f"{len(names)} pairs"
        return f"{how}: differences below {self.least_meaningful:g} mean nothing (a rough estimate, from {pairs})"


def training_noise(records: Sequence[TrialRecord]) -> TrainingNoise | None:
    """Return the noise from all trials of a study that were trained twice; None if there is none."""
    by_name = {record.name: record for record in records}
    accuracy = trained_accuracy(records).name
    found = {}
    for record in records:
        trial = by_name.get(record.name.removesuffix(REPEATED)) if record.is_repeated else None
        ours = record.value(accuracy)
        theirs = None if trial is None else trial.value(accuracy)
        if trial is not None and ours is not None and theirs is not None:
            found[trial.name] = ours - theirs
    return TrainingNoise(found) if found else None


def rounded_up(value: float) -> float:
    """Return a positive figure rounded up to one of `STEPS` times a power of ten: 0.008 to 0.01, 0.012 to 0.015."""
    size = 10.0 ** math.floor(math.log10(value))
    step = next((step for step in STEPS if step * size >= value * (1 - 1e-9)), STEPS[-1])
    return step * size


def trials_to_repeat(records: Sequence[TrialRecord], count: int) -> tuple[TrialRecord, ...]:
    """Return the most accurate complete trials, which are to be trained once more.

    Networks that are far from their best accuracy differ more between two trainings, so a weak one would tell too much
    noise for those that are compared. Only trials with the shortest training count: with a budget, that of a finalist
    would cost several of theirs. None is returned twice: a study that has as many repeated trainings as are asked for
    needs no more.

    Args:
        count: Number of trials that are trained twice, those included that already are.
    """
    repeated = {record.name.removesuffix(REPEATED) for record in records if record.is_repeated}
    accuracy = trained_accuracy(records).name
    known = [(each, value) for each in records if _is_trial(each) and (value := each.value(accuracy)) is not None]
    shortest = min((each.epochs for each, _ in known), default=0)
    rest = [(each, value) for each, value in known if each.epochs == shortest and each.name not in repeated]
    best = sorted(rest, key=lambda each: -each[1])
    return tuple([each for each, _ in best][: max(0, count - len(repeated))])


def _is_trial(record: TrialRecord) -> bool:
    return record.outcome is Outcome.COMPLETE and record.feasible and not record.is_reference
