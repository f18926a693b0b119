"""A record in Optuna's terms: a state, constraints, and attributes that its dashboard shows as columns."""

from __future__ import annotations

from typing import Any

from optuna.trial import TrialState

from objectives.quantities import BEST_F1, MAP50, PRECISION, RECALL
from search.record.trial import Outcome, TrialRecord

STATE_OF = {
    Outcome.COMPLETE: TrialState.COMPLETE,
    Outcome.STOPPED: TrialState.PRUNED,
    Outcome.RULED_OUT: TrialState.PRUNED,
    Outcome.DUPLICATE: TrialState.PRUNED,  # without values: discourages asking for the same again
    Outcome.FAILED: TrialState.FAIL,
}
CONSTRAINT_PREFIX = "constraints:"
"""Optuna keeps `trial.set_constraint(name, value)` under this prefix in a trial's system attributes."""


def constraint_attributes(record: TrialRecord) -> dict[str, float]:
    """Return the excess over each limit as Optuna stores it."""
    return {CONSTRAINT_PREFIX + key: float(excess) for key, excess in record.constraints.items()}


def dashboard_attributes(record: TrialRecord) -> dict[str, Any]:
    """Return what Optuna's dashboard shows of a record as columns."""
    shown: dict[str, Any] = {"outcome": record.outcome.value}
    if record.reason:
        shown["reason"] = record.reason
    for measurement in record.measurements:
        shown[f"{measurement.name} (predicted)" if measurement.predicted else measurement.name] = measurement.value
    if record.evaluation() is not None:
        shown |= {each.name: record.value(each.name) for each in (MAP50, PRECISION, RECALL, BEST_F1)}
    if record.checkpoint:
        shown["checkpoint"] = record.checkpoint
    return {key: round(value, 6) if isinstance(value, float) else value for key, value in shown.items()}
