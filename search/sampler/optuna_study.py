"""A study in Optuna's tables: Optuna proposes parameters and is told the results.

Our records are the truth. The Optuna study under the same database URL can be rebuilt from them at any time, and trial
numbers are the same in both.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage, InMemoryStorage, get_storage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from objectives.base import Direction
from search.record.trial import TrialRecord
from search.sampler.tables.patient_storage import PatientStorage
from search.sampler.tables.told_attributes import STATE_OF, constraint_attributes, dashboard_attributes
from search.sampler.tables.trial_rows import end_trial, write_params
from search.store.base import Store
from search.store.outage.patience import Patience
from search.store.sampling.advice import Advice
from spaces.base import Categorical, Float, Parameter, ParamValue

optuna.logging.set_verbosity(optuna.logging.WARNING)
logging.getLogger("alembic").setLevel(logging.WARNING)
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)

WEB_PATIENCE_S = 30.0
"""Seconds that a page of the dashboard waits for a database that is away."""


def optuna_storage(url: str, patience: Patience | None = None) -> BaseStorage:
    """Return Optuna's storage under our database URL; its tables are created if they are absent.

    Each of its calls waits for a database that is away, by default as long as our own store does.

    Several processes may call this on an empty database only one after the other: hold the store's
    `exclusive` lock around it.
    """
    if url in ("sqlite://", "sqlite:///:memory:"):
        return InMemoryStorage()
    return PatientStorage(url, patience or Patience())


def create_optuna_tables(store: Store, url: str) -> BaseStorage:
    """Return Optuna's storage with its tables created: optuna-dashboard crashes without them.

    It reads each finished trial once: a study of a thousand trials takes seconds to read.
    """
    with store.exclusive("optuna tables"):
        return get_storage(optuna_storage(url, Patience(WEB_PATIENCE_S)))


def distribution_of(parameter: Parameter) -> BaseDistribution:
    """Return Optuna's distribution for one of our parameters."""
    if isinstance(parameter, Categorical):
        return CategoricalDistribution(parameter.options)
    if isinstance(parameter, Float):
        return FloatDistribution(parameter.low, parameter.high, log=parameter.log, step=parameter.step)
    return IntDistribution(parameter.low, parameter.high, step=parameter.step)


class Proposal(NamedTuple):
    """A trial that a sampler proposes.

    Attributes:
        advice: Stores its parameters in Optuna's tables; None for a study in memory, which has them already.
    """

    number: int
    params: dict[str, ParamValue]
    advice: Advice | None = None


class OptunaStudy:
    """A study in Optuna's tables: it is asked for parameters and told results.

    Args:
        url: The database; as for `optuna_storage`, hold the lock if its tables may be absent.
        name: The study's name in Optuna's tables.
        objectives: Names and directions, in the order of the values.
        parameters: The parameters that the sampler sets.
        sampler: From `make_sampler`.
        patience: Waiting time of each call of Optuna's storage while the database is away.

    Every method raises `StoreUnavailable` if the database is away for longer.
    """

    def __init__(
        self,
        url: str,
        name: str,
        objectives: Sequence[tuple[str, Direction]],
        parameters: Mapping[str, Parameter],
        sampler: BaseSampler,
        patience: Patience | None = None,
    ) -> None:
        self._objectives = tuple(objectives)
        self._distributions = {key: distribution_of(parameter) for key, parameter in parameters.items()}
        self._tables = optuna_storage(url, patience)
        directions = [StudyDirection[direction.name] for _, direction in self._objectives]
        names = [key for key, _ in self._objectives]
        self._study = optuna.create_study(
            storage=self._tables,
            study_name=name,
            directions=directions,
            sampler=sampler,
            load_if_exists=True,
        )
        self._storage = self._study._storage
        if self._study.metric_names != names:
            self._study.set_metric_names(names)

    @property
    def study(self) -> Study:
        """The Optuna study, for notes and artifacts."""
        return self._study

    def rest(self) -> None:
        """Keep no connection of Optuna's until the next call."""
        if isinstance(self._tables, PatientStorage):
            self._tables.rest()

    def ask(self) -> tuple[int, dict[str, ParamValue]]:
        """Return a new trial's number and parameters, which Optuna's tables then hold."""
        proposal = self.propose()
        self.keep(proposal.advice)
        return proposal.number, proposal.params

    def propose(self) -> Proposal:
        """Return a new trial. Its parameters are not in Optuna's tables yet: its advice is to be written."""
        if not isinstance(self._tables, PatientStorage):
            trial = self._study.ask(self._distributions)
            return Proposal(trial.number, dict(trial.params))
        with self._tables.params_kept_back():
            trial = self._study.ask(self._distributions)
        params, trial_id = dict(trial.params), trial._trial_id

        def write(connection: Any) -> bool:
            write_params(connection, trial_id, params, self._distributions)
            return True

        return Proposal(trial.number, params, Advice(write))

    def keep(self, advice: Advice | None) -> None:
        """Write an advice in a transaction of its own, unless it was written in one of the store's."""
        if advice is not None and not advice.is_written and isinstance(self._tables, PatientStorage):
            self._tables.write(advice)

    def resume(self, number: int) -> None:
        """Mark a waiting trial as running again."""
        self._set_state(number, TrialState.RUNNING)

    def wait(self, number: int) -> None:
        """Mark a trial as waiting for a worker, after it was released or its worker died."""
        self._set_state(number, TrialState.WAITING)

    def trial_id(self, number: int) -> int:
        """Return Optuna's own id of a trial number."""
        return self._storage.get_trial_id_from_study_id_trial_number(self._study._study_id, number)

    def tell(self, record: TrialRecord) -> None:
        """Tell Optuna a stored record. Telling it again does nothing.

        Raises:
            ValueError: If the record is a reference row.
        """
        advice = self.telling(record)
        if advice is not None:
            self.keep(advice)
        else:
            with suppress(UpdateFinishedTrialError):
                self._tell_in_memory(record)

    def telling(self, record: TrialRecord) -> Advice | None:
        """Return what tells Optuna a record once it is written; None for a study in memory, which must be told.

        Raises:
            ValueError: If the record is a reference row.
        """
        number = record.number
        if number is None:
            raise ValueError(f"reference row '{record.name}' is not a trial; only trials are told")
        if not isinstance(self._tables, PatientStorage):
            return None
        state, values = self._end(record)
        self._call_sampler_after(number, state, values)
        user, system, study_id = dashboard_attributes(record), constraint_attributes(record), self._study._study_id
        return Advice(
            lambda connection: end_trial(connection, study_id, number, state, values=values, user=user, system=system)
        )

    def _call_sampler_after(self, number: int, state: TrialState, values: Sequence[float] | None) -> None:
        """Call the sampler's own work after a trial, as Optuna does, if the trial is not told yet."""
        with suppress(KeyError):  # the study was deleted in the dashboard
            trial = self._storage.get_trial(self.trial_id(number))
            if not trial.state.is_finished():
                self._study.sampler.after_trial(self._study, trial, state, values)

    def _tell_in_memory(self, record: TrialRecord) -> None:
        number = int(record.number or 0)
        trial_id = self.trial_id(number)
        if self._storage.get_trial(trial_id).state.is_finished():
            return
        self._set_state(number, TrialState.RUNNING)
        for key, excess in constraint_attributes(record).items():
            self._storage.set_trial_system_attr(trial_id, key, excess)
        for key, value in dashboard_attributes(record).items():
            self._storage.set_trial_user_attr(trial_id, key, value)
        state, values = self._end(record)
        self._study.tell(number, values, state=state, skip_if_finished=True)

    def _end(self, record: TrialRecord) -> tuple[TrialState, list[float] | None]:
        """Return the state that a trial ends in, and its values if it is complete."""
        state = STATE_OF[record.outcome]
        return state, self._values(record) if state is TrialState.COMPLETE else None

    @property
    def known(self) -> int:
        """Number of trials in Optuna's tables; their numbers count from 0."""
        return len(self._study.get_trials(deepcopy=False))

    def unfinished(self) -> tuple[int, ...]:
        """Return the numbers of the trials that run or wait in Optuna's tables."""
        trials = self._study.get_trials(deepcopy=False)
        return tuple(trial.number for trial in trials if not trial.state.is_finished())

    def settle(
        self, records: Sequence[TrialRecord], held: Sequence[int], unfinished: Sequence[int], *, may_be_asking: bool
    ) -> None:
        """Make Optuna's study agree with the records: add missing trials, end those without a worker. Idempotent.

        Args:
            records: Stored records of the study, read after `unfinished`: at least those of the unfinished trials, and
                all if there are trials that Optuna does not know.
            held: Trial numbers of attempts that are running or waiting, read after `unfinished`.
            unfinished: From `unfinished()`, read first; trials that were asked for since then are left alone.
            may_be_asking: Whether a live worker may have an Optuna trial that no attempt names yet.
        """
        told = {record.number: record for record in records if record.number is not None}
        for number in range(self.known, max((*told, *held), default=-1) + 1):
            self._study.add_trial(self._rebuilt(told.get(number)))
        for number in unfinished:
            if number in told:
                self.tell(told[number])
            elif number not in held and not may_be_asking:
                self._end_orphan(number)

    def _end_orphan(self, number: int) -> None:
        """End a trial whose worker died between asking for it and storing its number."""
        self._set_state(number, TrialState.RUNNING)
        self._storage.set_trial_user_attr(self.trial_id(number), "reason", "worker died before it began")
        self._study.tell(number, state=TrialState.FAIL, skip_if_finished=True)

    def _rebuilt(self, record: TrialRecord | None) -> FrozenTrial:
        if record is None:
            return create_trial(state=TrialState.FAIL, user_attrs={"reason": "no record of this trial"})
        state, values = self._end(record)
        params = {key: value for key, value in record.params.items() if key in self._distributions}
        return create_trial(
            state=state,
            values=values,
            params=params,
            distributions={key: self._distributions[key] for key in params},
            user_attrs=dashboard_attributes(record),
            system_attrs=constraint_attributes(record),
        )

    def _values(self, record: TrialRecord) -> list[float]:
        values = [record.value(name) for name, _ in self._objectives]
        if any(value is None for value in values):
            raise ValueError(
                f"'{record.name}' is complete but lacks a value of {[name for name, _ in self._objectives]}"
            )
        return [float(value) for value in values if value is not None]

    def _set_state(self, number: int, state: TrialState) -> None:
        trial_id = self.trial_id(number)
        if not self._storage.get_trial(trial_id).state.is_finished():
            self._storage.set_trial_state_values(trial_id, state)
