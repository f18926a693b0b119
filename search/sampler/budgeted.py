"""A sampler with a budget: in each band of latency another sampler proposes trials, then the best one is trained on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from search.record.continuation import params_key
from search.record.trial import TrialRecord
from search.sampler.candidate_predictions import CandidatePredictions
from search.sampler.finalists import FinalistChooser, NextStep, Params
from search.sampler.wrapped import WrappedSampler
from search.store.base import Store, StudyEntry
from search.trial.bands import Turn
from search.trial.spending import Spending

LEAST_STEP = 1 / 3
"""Minimum of the last step, as a share of the shortest finalist's epochs: a budget rarely ends with a whole step."""
MOST_PROPOSALS = 6
"""Maximum number of proposals for a trial whose latency is measured until one lies in the band."""
MOST_IN_VAIN = 2
"""Number of proposals in a row, none nearer to the band than an earlier one, after which it counts as out of reach."""


@dataclass
class BudgetState:
    """Spent and remaining budget of a study, read from the database.

    Attributes:
        chooser: Chooses finalists; None if the objectives are not an accuracy and latency: then all is searched.
    """

    store: Store
    study: StudyEntry
    spending: Spending
    chooser: FinalistChooser | None
    _records: list[TrialRecord] = field(default_factory=list, repr=False)

    def records(self) -> Sequence[TrialRecord]:
        """Return the study's records, without their curves."""
        self._records += self.store.records(self.study, after=len(self._records), curves=False)
        return self._records

    def is_over(self) -> bool:
        """Return whether no further trial begins now: the budget is spent, or no step is worth its training.

        After the bands that may change when a trial that runs now has ended: while a finalist is trained, gaps of the
        front that its cuts will fill are left.
        """
        attempts = self.store.open_attempts(self.study)
        records, running = self.records(), [each.params or {} for each in attempts]
        if self.spending.is_spent(records, len(running)):
            return True
        turn = self.turn(running)
        if self.chooser is None or turn.band is not None or not turn.is_finalist:
            return False
        is_for_gaps = self._is_for_gaps(self._planned(len(running)))
        if is_for_gaps and self._gap(running, beyond_finalists=True) is not None:
            return True
        least = LEAST_STEP * min(self.spending.division(records).finalist_epochs)
        if self.spending.epochs_left(records, len(running)) < least:
            return True
        return self.next_step(running) is None

    def finalist_epochs(self, ms: float) -> int:
        """Return the epochs of further training of the held trial's network, by its latency in ms.

        After the bands they are fewer where the budget ends before.
        """
        if self.chooser is None:
            return self.spending.trial_epochs
        records, others = self.records(), max(0, len(self.store.open_attempts(self.study)) - 1)
        epochs = self.spending.division(records).finalist_epochs
        planned = epochs[self.chooser.bands.number_at(ms, len(epochs))]
        if self._planned(others).band is not None:
            return planned
        return int(max(self.spending.trial_epochs, min(planned, self.spending.epochs_left(records, others))))

    def turn(self, running: Sequence[Params]) -> Turn:
        """Return the turn of the next trial.

        Args:
            running: Parameters of the trials that run now, empty where they are not known yet.
        """
        turn = self._planned(len(running))
        if self._is_for_gaps(turn) and self._gap(running) is None:
            return Turn(None, is_finalist=True)
        return turn

    def _planned(self, running: int) -> Turn:
        """Return the turn of the next trial if the front has gaps."""
        if self.chooser is None:
            return Turn(None, is_finalist=False)
        records = self.records()
        division = self.spending.division(records)
        turn = division.turn(sum(not record.is_reference for record in records) + running)
        ended = division.bands if turn.band is None else turn.band + turn.is_finalist
        epochs = division.finalist_epochs
        if any(self.chooser.is_too_narrow(records, band, epochs[band]) for band in range(1, ended)):
            return Turn(None, is_finalist=True)  # faster networks would be worse
        return turn

    def _is_for_gaps(self, turn: Turn) -> bool:
        return self.chooser is not None and turn.band is None and not turn.is_finalist

    def _gap(self, running: Sequence[Params], *, beyond_finalists: bool = False) -> tuple[float, float] | None:
        if self.chooser is None:
            return None
        records = self.records()
        epochs = max(self.spending.division(records).finalist_epochs)
        return self.chooser.gap(records, running, epochs, beyond_finalists=beyond_finalists)

    def band(self, running: Sequence[Params]) -> tuple[float, float] | None:
        """Return the latencies in ms that the next trial's network should have; None if any will do.

        Args:
            running: Parameters of the trials that run now, empty where they are not known yet.
        """
        turn = self.turn(running)
        if self.chooser is None or (turn.band is None and turn.is_finalist):
            return None
        return self._gap(running) if turn.band is None else self.chooser.bands.aim(turn.band)

    def next_step(self, running: Sequence[Params]) -> NextStep | None:
        """Return the network that is trained further next; None if a new one is tried, or none is worth it.

        Args:
            running: Parameters of the trials that run now.
        """
        turn = self.turn(running)
        if self.chooser is None or not turn.is_finalist:
            return None
        records, busy = self.records(), {params_key(params) for params in running}
        division = self.spending.division(records)
        if turn.band is not None:
            return self.chooser.best_of_band(records, turn.band, division.finalist_epochs[turn.band], busy)
        return self.chooser.next_step(records, division, self.spending.epochs_left(records, len(running)), busy)


class BudgetedSampler(WrappedSampler):
    """Proposes what another sampler does within the present band of latency; at its end, its finalist.

    Args:
        distributions: The study's parameters, as Optuna's distributions.
        predictions: Predictions that the other sampler uses; None if it uses none, and so cannot keep to a band.
    """

    def __init__(
        self,
        sampler: BaseSampler,
        state: BudgetState,
        distributions: Mapping[str, BaseDistribution],
        predictions: CandidatePredictions | None = None,
    ) -> None:
        super().__init__(sampler)
        self._state, self._predictions = state, predictions
        self._distributions = dict(distributions)
        self._finalists: dict[int, dict[str, Any]] = {}

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return all parameters for a finalist, else the inner sampler's joint space."""
        running = [
            each.params
            for each in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
            if each.number != trial.number
        ]
        step = self._state.next_step(running)
        if step is not None:
            self._finalists[trial.number] = dict(step.params)
            return self._distributions
        if self._predictions is not None:
            self._predictions.band, self._predictions.running = self._state.band(running), running
        return self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the finalist's parameters, else the inner sampler's joint proposal.

        The latency of a proposal is measured. One that misses the band is replaced, a few times: the prediction, which
        knows little at first, is then corrected by these measurements. If none lies in the band, the nearest one is
        taken.
        """
        finalist = self._finalists.pop(trial.number, None)
        if finalist is not None:
            return finalist
        nearest, nearest_away, in_vain = dict[str, Any](), math.inf, 0
        for _ in range(MOST_PROPOSALS):
            proposal = self._sampler.sample_relative(study, trial, search_space)
            away = self._away_from_band(proposal)
            in_vain = 0 if away < nearest_away else in_vain + 1
            if away < nearest_away:
                nearest, nearest_away = proposal, away
            if nearest_away == 0.0 or in_vain == MOST_IN_VAIN:
                break
        return nearest

    def _away_from_band(self, proposal: dict[str, Any]) -> float:
        """Return the distance of a network's measured latency from the band that is searched, on a log scale.

        It is 0 for a proposal without all parameters: the sampler draws those one by one afterwards (random, TPE's
        first trials), and there is no network to measure yet.
        """
        predictions = self._predictions
        if predictions is None or predictions.band is None or predictions.measure_latency is None:
            return 0.0
        if not self._distributions.keys() <= proposal.keys():
            return 0.0
        latency_ms = predictions.measure_latency(proposal)
        fastest, slowest = predictions.band
        if latency_ms is None or fastest < latency_ms <= slowest:
            return 0.0
        return max(math.log(latency_ms / slowest), math.log(fastest / latency_ms))
