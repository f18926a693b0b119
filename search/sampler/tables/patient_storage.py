"""Optuna's tables under our database URL, with the patience of our own: a database that is away ends no call."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Sequence
from copy import copy
from functools import wraps
from typing import Any, final

from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage, RDBStorage
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.store.outage.patience import Patience
from search.store.sampler_engine import engine_options, faults_in_one_line, set_up_engine
from search.store.url import canonical, mask

KEY = "yolofront:key"
"""System attribute of a trial: which call has added it."""
_ONE_TRANSACTION_EACH = (
    *BaseStorage.__abstractmethods__ - {"create_new_trial", "set_trial_state_values"},
    "get_trial_id_from_study_id_trial_number",
    "_set_trial_param",
    "_get_trials",
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
        return super()._get_prepared_new_trial(study_id, template_trial, session)


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
