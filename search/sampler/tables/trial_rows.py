"""Trials as rows of Optuna's tables: read by the thousand, and written in one transaction.

Optuna's own storage makes an object of every row that it reads, and commits every parameter and attribute by itself.
The tables are those of Optuna's models; what these functions read and write is what its storage would.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from optuna.distributions import BaseDistribution, distribution_to_json, json_to_distribution
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState

_STUDIES, _TRIALS = models.StudyModel.__table__, models.TrialModel.__table__
_PARAMS, _VALUES = models.TrialParamModel.__table__, models.TrialValueModel.__table__
_STEPS = models.TrialIntermediateValueModel.__table__
_USER, _SYSTEM = models.TrialUserAttributeModel.__table__, models.TrialSystemAttributeModel.__table__
MOST_NAMED = 500
"""Number of trials that one statement names; of more, all between the first and the last are read."""


def read_trial(connection: Any, trial_id: int) -> FrozenTrial:
    """Return one trial.

    Raises:
        KeyError: If there is none.
    """
    for trial in _read(connection, [_TRIALS.c.trial_id == trial_id]):
        return trial
    raise KeyError(f"trial {trial_id} is not in Optuna's tables")


def read_trials(connection: Any, study_id: int, *, after: int = -1, named: Iterable[int] = ()) -> list[FrozenTrial]:
    """Return the trials of a study in the order of their ids.

    Args:
        after: Only trials with a greater id.
        named: Ids of further trials.

    Raises:
        KeyError: If there is no such study.
    """
    if connection.execute(_STUDIES.select().where(_STUDIES.c.study_id == study_id)).first() is None:
        raise KeyError(f"study {study_id} is not in Optuna's tables")
    also = {each for each in named if each <= after}
    if len(also) > MOST_NAMED:
        found = _read(connection, [_TRIALS.c.study_id == study_id, _TRIALS.c.trial_id >= min(also)])
        return [trial for trial in found if trial._trial_id > after or trial._trial_id in also]
    is_wanted = _TRIALS.c.trial_id > after
    if also:
        is_wanted = is_wanted | _TRIALS.c.trial_id.in_(sorted(also))
    return _read(connection, [_TRIALS.c.study_id == study_id, is_wanted])


def _read(connection: Any, conditions: Sequence[Any]) -> list[FrozenTrial]:
    rows = connection.execute(_TRIALS.select().where(*conditions).order_by(_TRIALS.c.trial_id)).all()
    if not rows:
        return []
    wanted = _TRIALS.select().with_only_columns(_TRIALS.c.trial_id).where(*conditions)
    params, values, steps = (_children(connection, table, wanted) for table in (_PARAMS, _VALUES, _STEPS))
    user, system = (_children(connection, table, wanted) for table in (_USER, _SYSTEM))
    return [
        FrozenTrial(
            number=row.number,
            state=row.state,
            value=None,
            values=_values(values[row.trial_id]),
            datetime_start=_local(row.datetime_start),
            datetime_complete=_local(row.datetime_complete),
            params={each.param_name: _external(each) for each in params[row.trial_id]},
            distributions={each.param_name: _distribution(each.distribution_json) for each in params[row.trial_id]},
            user_attrs={each.key: json.loads(each.value_json) for each in user[row.trial_id]},
            system_attrs={each.key: json.loads(each.value_json) for each in system[row.trial_id]},
            intermediate_values={each.step: _step(each) for each in steps[row.trial_id]},
            trial_id=row.trial_id,
        )
        for row in rows
    ]


def _children(connection: Any, table: Any, wanted: Any) -> defaultdict[int, list[Any]]:
    """Return the rows that belong to the wanted trials, in the order of writing."""
    (key,) = table.primary_key
    found: defaultdict[int, list[Any]] = defaultdict(list)
    for row in connection.execute(table.select().where(table.c.trial_id.in_(wanted)).order_by(key)).all():
        found[row.trial_id].append(row)
    return found


@lru_cache(maxsize=4096)
def _distribution(text: str) -> BaseDistribution:
    """Return a distribution, the same object for the same text: trials of a study share their few distributions."""
    return json_to_distribution(text)


def _external(row: Any) -> Any:
    return _distribution(row.distribution_json).to_external_repr(row.param_value)


def _values(rows: Sequence[Any]) -> list[float] | None:
    known = {row.objective: models.TrialValueModel.stored_repr_to_value(row.value, row.value_type) for row in rows}
    return [known[place] for place in sorted(known)] or None


def _step(row: Any) -> float:
    found: float = models.TrialIntermediateValueModel.stored_repr_to_intermediate_value(
        row.intermediate_value, row.intermediate_value_type
    )
    return found


def _local(moment: datetime | None) -> datetime | None:
    """Return local time without a zone, as Optuna shows it; it is stored as UTC without a zone."""
    return None if moment is None else moment.replace(tzinfo=UTC).astimezone().replace(tzinfo=None)


def write_params(
    connection: Any, trial_id: int, params: Mapping[str, Any], distributions: Mapping[str, BaseDistribution]
) -> None:
    """Store the parameters of a trial, in the place of those that it has."""
    connection.execute(_PARAMS.delete().where(_PARAMS.c.trial_id == trial_id))
    rows = [
        {
            "trial_id": trial_id,
            "param_name": name,
            "param_value": distributions[name].to_internal_repr(value),
            "distribution_json": _as_json(distributions[name]),
        }
        for name, value in params.items()
    ]
    if rows:
        connection.execute(_PARAMS.insert(), rows)


@lru_cache(maxsize=4096)
def _as_json(distribution: BaseDistribution) -> str:
    return distribution_to_json(distribution)


def write_attributes(connection: Any, trial_id: int, user: Mapping[str, Any], system: Mapping[str, Any]) -> None:
    """Store attributes of a trial; each replaces the one of its name, and others stay."""
    for table, attributes in ((_USER, user), (_SYSTEM, system)):
        if attributes:
            same = (table.c.trial_id == trial_id, table.c.key.in_(list(attributes)))
            connection.execute(table.delete().where(*same))
            rows = [{"trial_id": trial_id, "key": key, "value_json": json.dumps(attributes[key])} for key in attributes]
            connection.execute(table.insert(), rows)


def end_trial(
    connection: Any,
    study_id: int,
    number: int,
    state: TrialState,
    *,
    values: Sequence[float] | None,
    user: Mapping[str, Any],
    system: Mapping[str, Any],
) -> bool:
    """Store the end of a trial, with all that is told of it. Return whether there is such a trial.

    One that has ended before stays as it is.
    """
    this = (_TRIALS.c.study_id == study_id, _TRIALS.c.number == number)
    row = connection.execute(_TRIALS.select().where(*this).with_for_update()).first()
    if row is None:
        return False
    if row.state.is_finished():
        return True
    write_attributes(connection, row.trial_id, user, system)
    connection.execute(_VALUES.delete().where(_VALUES.c.trial_id == row.trial_id))
    if values is not None:
        connection.execute(_VALUES.insert(), [_value_row(row.trial_id, *each) for each in enumerate(values)])
    ended = {"state": state, "datetime_complete": datetime.now(UTC).replace(tzinfo=None)}
    connection.execute(_TRIALS.update().where(_TRIALS.c.trial_id == row.trial_id).values(**ended))
    return True


def _value_row(trial_id: int, objective: int, value: float) -> dict[str, Any]:
    stored, kind = models.TrialValueModel.value_to_stored_repr(value)
    return {"trial_id": trial_id, "objective": objective, "value": stored, "value_type": kind}
