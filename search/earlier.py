"""What other studies of the same parent and data teach a new one: trainings that are points of its space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from search.record import Outcome
from search.store.base import Store, StudyEntry
from spaces.base import Categorical, Parameter, ParamValue

MOST = 200
"""Trainings that are taken, the newest ones; more would make each proposal slow."""


class Earlier(NamedTuple):
    """A training of another study: what was trained, and how accurate it became there."""

    params: Mapping[str, ParamValue]
    accuracy: float


def earlier_trainings(store: Store, study: StudyEntry, parameters: Mapping[str, Parameter]) -> list[Earlier]:
    """Complete trials of other studies, and of earlier generations of this one, oldest first.

    Recipes may differ: whoever learns from them has to allow for a difference between the studies.

    Args:
        study: With its frozen parent and data; those of the others have to be the same.
        parameters: Of this study's space. Trials with other parameters, or other values, are left out.
    """
    same = [other for other in store.studies() if other.id != study.id and _alike(other, study)]
    accuracy = study.objectives[0][0]
    found = [
        Earlier(record.params, value)
        for other in same
        for record in store.records(other)
        if record.outcome is Outcome.COMPLETE and not record.is_reference
        if (value := record.value(accuracy)) is not None and _is_point(record.params, parameters)
    ]
    return found[-MOST:]


def _alike(other: StudyEntry, study: StudyEntry) -> bool:
    facts = ("parent", "data")
    return all(study.frozen.get(fact) is not None for fact in facts) and all(
        other.frozen.get(fact) == study.frozen[fact] for fact in facts
    )


def _is_point(params: Mapping[str, ParamValue], parameters: Mapping[str, Parameter]) -> bool:
    return params.keys() == parameters.keys() and all(_holds(parameters[name], params[name]) for name in parameters)


def _holds(parameter: Parameter, value: ParamValue) -> bool:
    if isinstance(parameter, Categorical):
        return value in parameter.options
    return not isinstance(value, str) and parameter.low <= value <= parameter.high
