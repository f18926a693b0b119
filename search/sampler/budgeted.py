"""A sampler with a budget: another sampler proposes networks, then the finalists are trained further."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from search.record.trial import TrialRecord
from search.sampler.finalists import FinalistChooser, NextStep, params_key
from search.sampler.wrapped import WrappedSampler
from search.store.base import Store, StudyEntry
from search.trial.spending import Spending
from spaces.base import ParamValue


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
        """Return whether no further trial begins: the budget is spent, or no step is worth its training."""
        records, running = self.records(), len(self.store.open_attempts(self.study))
        if self.spending.is_spent(records, running):
            return True
        if self.chooser is None or running or self.spending.is_searching(records):
            return False
        return self.next_step(()) is None

    def wants_finalist(self, running: int) -> bool:
        """Return whether the search is over and finalists are trained."""
        return self.chooser is not None and not self.spending.is_searching(self.records(), running)

    def next_step(self, running: Sequence[Mapping[str, ParamValue]]) -> NextStep | None:
        """Return the finalist that is trained next; None if none is worth it.

        Args:
            running: Parameters of the trials that run now.
        """
        if self.chooser is None:
            return None
        records = self.records()
        epochs = self.spending.step_epochs(records)
        return self.chooser.next_step(records, epochs, {params_key(params) for params in running})


class BudgetedSampler(WrappedSampler):
    """Proposes what another sampler does, until the search has spent its part; then the finalists.

    Args:
        distributions: The study's parameters, as Optuna's distributions.
    """

    def __init__(self, sampler: BaseSampler, state: BudgetState, distributions: Mapping[str, BaseDistribution]) -> None:
        super().__init__(sampler)
        self._state = state
        self._distributions = dict(distributions)
        self._finalists: dict[int, dict[str, Any]] = {}

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return all parameters for a finalist, else the inner sampler's joint space."""
        running = [
            each.params
            for each in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
            if each.number != trial.number
        ]
        if self._state.wants_finalist(len(running)):
            step = self._state.next_step(running)
            if step is not None:
                self._finalists[trial.number] = dict(step.params)
                return self._distributions
        return self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the finalist's parameters, else the inner sampler's joint proposal."""
        finalist = self._finalists.pop(trial.number, None)
        return finalist if finalist is not None else self._sampler.sample_relative(study, trial, search_space)
