"""Warm start: trainings that a study learns from before its first trial, of its controls and of other studies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from search.record.latency_text import LATENCY
from search.record.trial import Outcome, TrialRecord
from search.store.base import Store, StudyEntry
from search.trial.learning_curves import FinalAccuracyPredictor, LearningCurve, complete_curves
from search.trial.plan import SearchPlan
from search.trial.trained_networks import is_alike
from spaces.base import Categorical, Parameter, ParamValue
from spaces.structure.structure import Structure

MAX_TRAININGS = 200
"""Maximum number of earlier trainings that are used, the newest first; more would make each proposal slow."""


class EarlierTraining(NamedTuple):
    """A training of another study: its parameters, the accuracy that it reached there, and its line's epochs."""

    params: Mapping[str, ParamValue]
    accuracy: float
    epochs: int = 0


def earlier_trainings(
    store: Store, study: StudyEntry, plan: SearchPlan, rows: Sequence[TrialRecord] = ()
) -> list[EarlierTraining]:
    """Return the complete trials of other studies, and of earlier generations of this one, oldest first.

    Recipes may differ: a model that learns from these trials has to allow for a difference between the studies.

    Args:
        study: This study, with its frozen parent and data; only studies with the same parent and data count.
        plan: This study's plan. Left out are trials with other parameters or values, and trials whose parameters
            stand for another network in this study (because its donors were cut again, for example).
        rows: This study's reference rows; trials that were copied among them are left out too.
    """
    same = [other for other in store.studies() if other.id != study.id and is_alike(other, study)]
    accuracy, copied = study.objectives[0][0], {row.checkpoint for row in rows if row.is_copied}
    found = [
        EarlierTraining(record.params, value, record.line_epochs)
        for other in same
        for record in store.records(other)
        if record.outcome is Outcome.COMPLETE and not record.is_reference and record.checkpoint not in copied
        if (value := record.value(accuracy)) is not None and _is_point(record, plan)
    ]
    return found[-MAX_TRAININGS:]


class KnownPoint(NamedTuple):
    """A point that is not a complete trial, with its accuracy (predicted, if it was stopped), the variance of it, and
    the epochs of its line.
    """

    params: Mapping[str, ParamValue]
    latency_ms: float
    accuracy: float
    variance: float = 0.0
    epochs: int = 0


def trained_points(
    rows: Sequence[TrialRecord], plan: SearchPlan, structure: Structure, accuracy: str
) -> list[KnownPoint]:
    """Return the reference rows that a trial could repeat: networks of the space, with equal weights and recipe.

    Only spaces that set each width by itself, and nothing else, have such rows, and only if no recipe is searched.
    Where trials inherit, whole donors are such points too, whatever they were trained for: the training behind
    networks is modelled there.

    Args:
        structure: The parent's structure; a control of another family is not a point of the space.
        accuracy: Name of the accuracy objective.
    """
    if plan.searched:
        return []
    found = []
    for row in rows:
        latency_ms, reached = row.value(LATENCY), row.value(accuracy)
        if row.is_copied or row.spec is None or row.origin is None or latency_ms is None or reached is None:
            continue
        if row.spec.parent != structure.key or row.spec.dropped:
            continue
        donor = plan.space.point_of_donor(row.checkpoint) if plan.inherits and row.checkpoint is not None else None
        if donor is not None and plan.decode(donor)[0] == row.spec:
            found.append(KnownPoint(donor, latency_ms, reached, epochs=row.line_epochs))
            continue
        point = plan.space.nearest(row.spec.shares)
        if point is None or point.keys() != plan.parameters.keys():
            continue
        spec, origin, recipe = plan.decode(point)
        if (spec.key, origin.key) == (row.spec.key, row.origin.key) and dict(row.recipe) == recipe.as_plain():
            found.append(KnownPoint(point, latency_ms, reached, epochs=row.line_epochs))
    return found


def stopped_points(records: Sequence[TrialRecord]) -> list[KnownPoint]:
    """Return the stopped trials, each with the final accuracy that its learning curve predicted."""
    found = []
    predictors: dict[int, FinalAccuracyPredictor] = {}
    for record in records:
        latency_ms = record.value(LATENCY)
        if record.outcome is not Outcome.STOPPED or not record.rungs or latency_ms is None:
            continue
        epochs = int(record.recipe["epochs"])
        if epochs not in predictors:
            predictors[epochs] = FinalAccuracyPredictor(complete_curves(records, epochs))
        final = predictors[epochs].predict(LearningCurve(latency_ms, record.rungs))
        if final is not None:
            trained = epochs + sum(ancestor.epochs for ancestor in record.ancestors)
            found.append(KnownPoint(record.params, latency_ms, final.mean, final.error**2, trained))
    return found


def copied_points(rows: Sequence[TrialRecord], plan: SearchPlan, accuracy: str) -> list[KnownPoint]:
    """Return the copied trials of another study that are points of this study's space.

    Args:
        accuracy: Name of the accuracy objective.
    """
    return [
        KnownPoint(row.params, latency_ms, reached, epochs=row.line_epochs)
        for row in rows
        if row.is_copied and _is_point(row, plan)
        if (latency_ms := row.value(LATENCY)) is not None and (reached := row.value(accuracy)) is not None
    ]


def _is_point(record: TrialRecord, plan: SearchPlan) -> bool:
    params, parameters = record.params, plan.parameters
    if params.keys() != parameters.keys() or record.spec is None or record.origin is None:
        return False
    if not all(_holds(parameters[name], params[name]) for name in parameters):
        return False
    spec, origin, _ = plan.decode(params)
    return spec.key == record.spec.key and (bool(record.ancestors) or origin.key == record.origin.key)


def _holds(parameter: Parameter, value: ParamValue) -> bool:
    if isinstance(parameter, Categorical):
        return value in parameter.options
    return not isinstance(value, str) and parameter.low <= value <= parameter.high
