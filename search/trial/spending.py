"""Division of a study's budget among donors, bands of latency and their finalists, and the amount that is spent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from search.record.ancestors import joined_lines
from search.record.number_text import duration
from search.record.trial import TrialRecord
from search.study.budget import Budget
from search.study.rows import BEST_F1
from search.trial.bands import Division, divided
from spaces.base import PARENT

MAX_BANDS = 6
"""Number of bands, up to 4 times the parent's speed, if the budget allows as many."""
MAX_BANDS_BELOW_LIMIT = 4
"""The same where the study has an upper limit of latency: from the limit to half of it."""
KEPT_SHARE = 0.25
"""Maximum share of a budget of time that is kept back to repeat trainings."""
LATENCY_SHARE = 0.2
"""Estimated share of the time of work that is no training: latency, scoring, choosing a start."""


@dataclass(frozen=True)
class Spending:
    """The division of a budget.

    Attributes:
        donors: Names of the donors: their training is a part of the budget. That of a control is one only if trials
            begin with its weights.
        trial_epochs: Epochs of a trial.
        repeats: Number of trials that are trained once more at the end.
        has_limit: Whether the study has an upper limit of latency, below which all bands lie.
    """

    budget: Budget
    donors: frozenset[str]
    trial_epochs: int
    repeats: int = 0
    has_limit: bool = False

    def spent(self, records: Sequence[TrialRecord], running: int = 0) -> float:
        """Return how much donors and trials have spent, in the budget's unit.

        Args:
            records: The study's records.
            running: Number of trials that run now; each counts as if it had ended.
        """
        trials = [record for record in records if not record.is_reference]
        if self.budget.epochs is not None:
            return sum(record.epochs for record in trials) + running * self.trial_epochs + self.donor_epochs(records)
        spent = sum(sum(record.seconds.values()) for record in trials)
        return spent + running * _seconds_each(records) + self._donor_seconds(records)

    def donor_epochs(self, records: Sequence[TrialRecord]) -> int:
        """Return the epochs that the donors were trained for, each training counted once."""
        used = joined_lines(*(record.ancestors for record in records if not record.is_reference))
        controls = {row.name: row.epochs for row in records if row.is_beside_trials and row.name not in self.donors}
        of_donors = joined_lines(*(record.line for record in self._rows(records)))
        known = {each.checkpoint for each in of_donors}
        lent = (each for each in used if each.name in controls and each.checkpoint not in known)
        return sum(each.epochs for each in (*of_donors, *lent))

    def division(self, records: Sequence[TrialRecord]) -> Division:
        """Return the bands that the budget is divided into, after the donors."""
        left = self._epochs_in_all(records) - self._donors_only(records)
        most, repeats = MAX_BANDS_BELOW_LIMIT if self.has_limit else MAX_BANDS, self._repeats(records)
        return divided(int(left), self.trial_epochs, most=most, repeats=repeats, below_limit=self.has_limit)

    def is_spent(self, records: Sequence[TrialRecord], running: int = 0) -> bool:
        """Return whether nothing is left for another trial."""
        return self.spent(records, running) >= self.budget.total - self.kept_back(records)

    def kept_back(self, records: Sequence[TrialRecord]) -> float:
        """Return the part of repeated trainings, in the budget's unit.

        It does not change when they are stored, although they may take less: no trial begins because of that.
        """
        repeats, division = self._repeats(records), self.division(records)
        if self.budget.epochs is None:
            return min(repeats * _seconds_each(records), KEPT_SHARE * self.budget.total)
        left = self.budget.total - self._donors_only(records) - division.epochs(self.trial_epochs)
        return max(0.0, left) if repeats else 0.0

    def epochs_left(self, records: Sequence[TrialRecord], running: int = 0) -> float:
        """Return the epochs that are left for finalists; of a budget of time, infinite until it is spent.

        Args:
            records: The study's records.
            running: Number of trials that run now; each counts as a finalist.
        """
        left = self.budget.total - self.kept_back(records) - self.spent(records)
        if self.budget.epochs is not None:
            epochs = self.division(records).finalist_epochs
            left -= running * sum(epochs) / len(epochs)
        return left if self.budget.epochs is not None or left <= 0 else math.inf

    def expected_trials(self, records: Sequence[TrialRecord]) -> int:
        """Return about how many trials could be trained for what donors leave; a finalist counts as several."""
        return self.division(records).epochs(self.trial_epochs) // self.trial_epochs

    def plan_text(self, records: Sequence[TrialRecord]) -> str:
        """Return how the budget is divided, in one line."""
        division, repeats = self.division(records), self._repeats(records)
        in_time = self.budget.epochs is None
        total = f"{self.budget.total / 3600:.3g} h of work" if in_time else f"{self.budget.total:.0f} epochs"
        donors = duration(self._donor_seconds(records)) if in_time else f"{self._donors_only(records)}"
        again = "" if not repeats else f"; {repeats} repeated training{'s' * (repeats > 1)}"
        about = "about " if in_time else ""
        return f"budget of {total}: {donors} for the donors, then {about}{division.text(self.trial_epochs)}{again}"

    def _epochs_in_all(self, records: Sequence[TrialRecord]) -> float:
        """Return the budget in epochs; a budget of time is converted by the time that parent and donors took."""
        if self.budget.epochs is not None:
            return self.budget.epochs
        rows = [row for row in records if row.name == PARENT or row.name in self.donors]
        epochs = sum(row.epochs for row in rows)
        seconds = sum(row.seconds.get("training", 0.0) for row in rows)
        if not epochs or not seconds:
            return self.trial_epochs * 100.0  # unknown: bands of usual length, until the time is up
        left = (1.0 - LATENCY_SHARE) * (self.budget.total - self._donor_seconds(records))
        return self._donors_only(records) + left / (seconds / epochs)

    def _donors_only(self, records: Sequence[TrialRecord]) -> int:
        """Return the epochs of the donors by themselves: the division must not change while trials end."""
        return sum(each.epochs for each in joined_lines(*(record.line for record in self._rows(records))))

    def _repeats(self, records: Sequence[TrialRecord]) -> int:
        return max(self.repeats, sum(record.is_repeated for record in records))

    def _rows(self, records: Sequence[TrialRecord]) -> list[TrialRecord]:
        names = self.donors
        return [each for each in records if each.name in names and not each.name.endswith(BEST_F1)]

    def _donor_seconds(self, records: Sequence[TrialRecord]) -> float:
        return sum(sum(record.seconds.values()) for record in self._rows(records))


def _seconds_each(records: Sequence[TrialRecord]) -> float:
    """Return the mean seconds of a trial; 0 before the first one."""
    ended = [sum(record.seconds.values()) for record in records if not record.is_reference]
    return sum(ended) / len(ended) if ended else 0.0
