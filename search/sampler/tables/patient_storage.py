"""Optuna's tables under our database URL, with the patience of our own: a database that is away ends no call."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from copy import deepcopy as make_deepcopy
from functools import wraps
from typing import Any, TypeVar, final

from optuna.distributions import BaseDistribution, check_distribution_compatibility
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage, RDBStorage
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.sampler.tables.trial_rows import read_trial, read_trials, write_attributes, write_params
from search.store.outage.patience import Patience
from search.store.sampling.advice import Advice
from search.store.sampling.advice_rows import write_advice
from search.store.sampling.sampler_engine import READS_ONLY, engine_options, faults_in_one_line, set_up_engine
from search.store.url import canonical, mask

Found = TypeVar("Found")
KEY = "yolofront:key"
"""System attribute of a trial: which call has added it."""
_ONE_TRANSACTION_EACH = (
    *BaseStorage.__abstractmethods__
    - {"create_new_trial", "set_trial_state_values", "get_all_trials", "get_trial", "set_trial_param"},
    "get_trial_id_from_study_id_trial_number",
)


@final
class PatientStorage(RDBStorage):
    """Optuna's storage, each call of which is made again while the database is away.

    Where the answer to a commit is lost, a call may be made twice. Most of them say what shall be, and do no harm. A
    new trial is found again by its key, and a trial that has its new state already counts as changed.

    Args:
        url: Our database URL, as a user writes it.
        patience: Waiting time of a call. Threads and our own store may share it.
    """

    def __init__(self, url: str, patience: Patience) -> None:
        self._patience, self._our_url = patience, url
        self._adding = threading.local()
        self._asking = threading.local()
        # Only creates tables that are absent, and may be called again.
        self.patiently(lambda: RDBStorage.__init__(self, canonical(url), engine_kwargs=engine_options(url)))
        set_up_engine(self.engine)

    def patiently(self, call: Callable[[], Any]) -> Any:
        """Return what the call returns, made again while the database is away.

        Raises:
            StoreUnavailable: If it is away for too long.
        """

        def once() -> Any:
            with faults_in_one_line(self._our_url):
                return call()

        return self._patience.call(once, mask(self._our_url))

    def rest(self) -> None:
        """Close the connection to a server until the next call: its places are few, and a training takes minutes."""
        if self.engine.dialect.name != "sqlite":
            self.engine.dispose()

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """Return whether the trial got this state."""
        is_again = False

        def once() -> bool:
            nonlocal is_again
            was_again, is_again = is_again, True
            try:
                changed = RDBStorage.set_trial_state_values(self, trial_id, state, values)
            except UpdateFinishedTrialError:
                if was_again and RDBStorage.get_trial(self, trial_id).state is state:
                    return True
                raise
            # A trial that runs may be that of another worker: the store assigns its number to one of them only.
            return changed or (was_again and state is TrialState.RUNNING)

        return bool(self.patiently(once))

    def write(self, advice: Advice) -> None:
        """Write rows in a transaction of its own."""

        def once() -> None:
            with self.engine.begin() as connection:
                write_advice(connection, advice)

        self.patiently(once)

    @contextmanager
    def params_kept_back(self) -> Iterator[None]:
        """Store no parameter that this thread sets within the block: the caller stores them all at once."""
        self._asking.keeps_back = True
        try:
            yield
        finally:
            self._asking.keeps_back = False

    def _set_trial_param(
        self,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
        previous_distribution: BaseDistribution | None,
    ) -> None:
        """Store a parameter, unless it is kept back."""
        if getattr(self._asking, "keeps_back", False):
            if previous_distribution is not None:
                check_distribution_compatibility(previous_distribution, distribution)
            return
        values = (trial_id, param_name, param_value_internal, distribution, previous_distribution)
        self.patiently(lambda: RDBStorage._set_trial_param(self, *values))

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """Return one trial."""
        return self._read(lambda connection: read_trial(connection, trial_id))

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Return the trials of a study that are in one of the states; in any, if there are none given."""
        trials = self._get_trials(study_id, states, set(), -1)
        return make_deepcopy(trials) if deepcopy else trials

    def _get_trials(
        self,
        study_id: int,
        states: Container[TrialState] | None,
        included_trial_ids: set[int],
        trial_id_greater_than: int,
    ) -> list[FrozenTrial]:
        """Return the trials with a greater id, and those that are included."""
        trials = self._read(
            lambda connection: read_trials(connection, study_id, after=trial_id_greater_than, named=included_trial_ids)
        )
        return trials if states is None else [trial for trial in trials if trial.state in states]

    def _read(self, read: Callable[[Any], Found]) -> Found:
        """Return what is read in a transaction that takes no lock."""

        def once() -> Found:
            with self.engine.connect().execution_options(**READS_ONLY) as connection:
                return read(connection)

        found: Found = self.patiently(once)
        return found

    def _create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> FrozenTrial:
        """Return a new trial, or the one that this call has added before."""
        template = copy(template_trial) or create_trial(state=TrialState.RUNNING)
        key = secrets.token_hex(8)
        template.system_attrs = {**template.system_attrs, KEY: key}
        self._adding.key, self._adding.is_again = key, False
        added: FrozenTrial = self.patiently(lambda: RDBStorage._create_new_trial(self, study_id, template))
        return added

    def _get_prepared_new_trial(self, study_id: int, template_trial: FrozenTrial | None, session: Any) -> Any:
        """Return the row of a new trial. Optuna calls this in each of its own tries, with the study locked."""
        if self._adding.is_again and (found := _find_by_key(session, self._adding.key)) is not None:
            return found
        self._adding.is_again = True
        if template_trial is None:
            return super()._get_prepared_new_trial(study_id, None, session)
        bare = copy(template_trial)  # its parameters and attributes are written at once, not one by one
        bare.params, bare.distributions, bare.user_attrs, bare.system_attrs = {}, {}, {}, {}
        row: Any = super()._get_prepared_new_trial(study_id, bare, session)
        connection = session.connection()
        write_params(connection, row.trial_id, template_trial.params, template_trial.distributions)
        write_attributes(connection, row.trial_id, template_trial.user_attrs, template_trial.system_attrs)
        return row


def _find_by_key(session: Any, key: str) -> Any:
    attribute = models.TrialSystemAttributeModel
    has_key = (attribute.key == KEY, attribute.value_json == f'"{key}"')
    return session.query(models.TrialModel).join(attribute).filter(*has_key).one_or_none()


def _patient(name: str) -> Callable[..., Any]:
    inherited = getattr(RDBStorage, name)

    @wraps(inherited)
    def method(self: PatientStorage, *values: Any, **named: Any) -> Any:
        return self.patiently(lambda: inherited(self, *values, **named))

    return method


for _name in _ONE_TRANSACTION_EACH:
    setattr(PatientStorage, _name, _patient(_name))
