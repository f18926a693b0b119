"""Division of a study's budget among donors, search and finalists, and the amount that is spent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.record.ancestors import joined_lines
from search.record.number_text import duration
from search.record.trial import TrialRecord
from search.study.budget import Budget
from search.study.rows import BEST_F1

FINALISTS_SHARE = 0.6
"""Share of the budget, after the donors, that trains the finalists further."""
MAX_FINALISTS = 6
STEPS_EACH = 2
"""Number of trainings that a finalist gets on average, where the budget counts epochs: longer ones reach more."""
MIN_STEP_EPOCHS = 5


@dataclass(frozen=True)
class Spending:
    """The division of a budget.

    Attributes:
        donors: Names of the donors: their training is a part of the budget. That of controls is not.
        trial_epochs: Epochs of a trial.
        repeats: Number of trials that are trained once more at the end; their part of the finalists' is kept back.
    """

    budget: Budget
    donors: frozenset[str]
    trial_epochs: int
    repeats: int = 0

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
        return sum(each.epochs for each in joined_lines(*(record.line for record in self._rows(records))))

    def search_ends_at(self, records: Sequence[TrialRecord]) -> float:
        """Return how much is spent when the finalists' part begins."""
        before = float(self.donor_epochs(records)) if self.budget.epochs is not None else self._donor_seconds(records)
        return before + (1.0 - FINALISTS_SHARE) * max(0.0, self.budget.total - before)

    def is_searching(self, records: Sequence[TrialRecord], running: int = 0) -> bool:
        """Return whether new networks are still tried."""
        return self.spent(records, running) < self.search_ends_at(records)

    def is_spent(self, records: Sequence[TrialRecord], running: int = 0) -> bool:
        """Return whether nothing is left for another trial."""
        ends = max(self.search_ends_at(records), self.budget.total - self.kept_back(records))
        return self.spent(records, running) >= ends

    def kept_back(self, records: Sequence[TrialRecord]) -> float:
        """Return the part of repeated trainings, in the budget's unit.

        It does not change when they are stored, although they may take less: no trial begins because of that.
        """
        each = self.step_epochs(records) if self.budget.epochs is not None else _seconds_each(records)
        return self._repeats(records) * each

    def step_epochs(self, records: Sequence[TrialRecord]) -> int:
        """Return the epochs that a finalist is trained further for at a time."""
        least = max(MIN_STEP_EPOCHS, self.trial_epochs)
        if self.budget.epochs is None:
            return least
        left = self.budget.total - self.search_ends_at(records)
        return max(least, int(left / (MAX_FINALISTS * STEPS_EACH + self._repeats(records))))

    def expected_trials(self, records: Sequence[TrialRecord]) -> int:
        """Return about how many trials the search will have; 1 if the budget counts time."""
        if self.budget.epochs is None:
            return 1
        return max(0, round((self.search_ends_at(records) - self.donor_epochs(records)) / self.trial_epochs))

    def plan_text(self, records: Sequence[TrialRecord]) -> str:
        """Return how the budget is divided, in one line."""
        end, total = self.search_ends_at(records), self.budget.total
        repeats = self._repeats(records)
        again = "" if not repeats else f" and for {repeats} repeated training{'s' * (repeats > 1)}"
        if self.budget.epochs is None:
            return (
                f"budget of {total / 3600:.3g} h of work: {duration(self._donor_seconds(records))} for the donors, "
                f"{1 - FINALISTS_SHARE:.0%} of the rest to search, {FINALISTS_SHARE:.0%} for the finalists{again}"
            )
        donors, trials = self.donor_epochs(records), self.expected_trials(records)
        return (
            f"budget of {total:.0f} epochs: {donors} for the donors, {end - donors:.0f} to search "
            f"({trials} trials of {self.trial_epochs}), {total - end:.0f} for up to {MAX_FINALISTS} finalists "
            f"({self.step_epochs(records)} at a time){again}"
        )

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
