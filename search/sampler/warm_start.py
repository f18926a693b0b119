"""What a study can learn from before its first trial: its controls, and other studies of the same parent and data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from search.record.latency_text import LATENCY
from search.record.trial import Outcome, TrialRecord
from search.sampler.start_points import nearest_ratios
from search.store.base import Store, StudyEntry
from search.trial.workbench import Plan
from spaces.base import Categorical, Parameter, ParamValue
from spaces.search_spaces.ratios import PREFIX
from spaces.structure.structure import Structure

MOST = 200
"""Trainings that are taken, the newest ones; more would make each proposal slow."""


class Earlier(NamedTuple):
    """A training of another study: what was trained, and how accurate it became there."""

    params: Mapping[str, ParamValue]
    accuracy: float


def earlier_trainings(store: Store, study: StudyEntry, plan: Plan) -> list[Earlier]:
    """Complete trials of other studies, and of earlier generations of this one, oldest first.

    Recipes may differ: whoever learns from them has to allow for a difference between the studies.

    Args:
        study: With its frozen parent and data; those of the others have to be the same.
        plan: This study's. Trials with other parameters, or other values, are left out, and those whose parameters
            stand for another network here: of donors that were cut anew, say.
    """
    same = [other for other in store.studies() if other.id != study.id and _alike(other, study)]
    accuracy = study.objectives[0][0]
    found = [
        Earlier(record.params, value)
        for other in same
        for record in store.records(other)
        if record.outcome is Outcome.COMPLETE and not record.is_reference
        if (value := record.value(accuracy)) is not None and _is_point(record, plan)
    ]
    return found[-MOST:]


class Known(NamedTuple):
    """A point beside the complete trials: what it reached, or would have where it was stopped, and the variance."""

    params: Mapping[str, ParamValue]
    latency_ms: float
    accuracy: float
    variance: float = 0.0


def trained_points(rows: Sequence[TrialRecord], plan: Plan, structure: Structure, accuracy: str) -> list[Known]:
    """Those rows that a trial could be: a network of the space, trained from the same weights by the same recipe.

    Found in spaces of channel ratios alone, where the recipe is not searched.

    Args:
        structure: The parent's; a control of another family is no point of the space.
        accuracy: Name of the objective.
    """
    if plan.searched or not all(name.startswith(PREFIX) for name in plan.parameters):
        return []
    found = []
    for row in rows:
        latency_ms, reached = row.value(LATENCY), row.value(accuracy)
        if row.spec is None or row.origin is None or latency_ms is None or reached is None:
            continue
        if row.spec.parent != structure.key or row.spec.dropped:
            continue
        point = nearest_ratios(plan.parameters, structure.groups, row.spec.shares)
        spec, origin, recipe = plan.decode(point)
        if (spec.key, origin.key) == (row.spec.key, row.origin.key) and dict(row.recipe) == recipe.as_plain():
            found.append(Known(point, latency_ms, reached))
    return found


def _alike(other: StudyEntry, study: StudyEntry) -> bool:
    facts = ("parent", "data")
    return all(study.frozen.get(fact) is not None for fact in facts) and all(
        other.frozen.get(fact) == study.frozen[fact] for fact in facts
    )


def _is_point(record: TrialRecord, plan: Plan) -> bool:
    params, parameters = record.params, plan.parameters
    if params.keys() != parameters.keys() or record.spec is None or record.origin is None:
        return False
    if not all(_holds(parameters[name], params[name]) for name in parameters):
        return False
    spec, origin, _ = plan.decode(params)
    return (spec.key, origin.key) == (record.spec.key, record.origin.key)


def _holds(parameter: Parameter, value: ParamValue) -> bool:
    if isinstance(parameter, Categorical):
        return value in parameter.options
    return not isinstance(value, str) and parameter.low <= value <= parameter.high
