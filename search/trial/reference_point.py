"""The reference point of the acquisition: latency and accuracy of a network that is worth nothing to a study."""

from __future__ import annotations

from collections.abc import Sequence

from search.record.trial import TrialRecord
from search.store.base import StudyEntry
from search.study.limits import resolved
from search.trial.plan import SearchPlan
from spaces.base import PARENT

USELESS_SHARE = 0.75
"""Share of the parent's accuracy below which a network is worth nothing to the search."""

MISSED_BY = 0.03
"""Accuracy by which a network may be predicted to miss the one that the study asks for and still be of interest."""


def worst_point(study: StudyEntry, plan: SearchPlan, records: Sequence[TrialRecord]) -> tuple[float, float]:
    """Return latency in ms and accuracy of a network that is worth nothing: the reference point of the acquisition.

    Its accuracy is that of the stored reference point. Where trials inherit, or the study asks for an accuracy, it is
    higher, so that no training goes to networks that nobody would use.
    """
    worst_accuracy, worst_ms = study.frozen["reference_point"]
    parent = next((record for record in records if record.name == PARENT), None)
    reached = None if parent is None else parent.value(study.objectives[0][0])
    if plan.inherits and reached is not None:
        worst_accuracy = max(worst_accuracy, USELESS_SHARE * reached)
    least = resolved(plan.at_least.get(study.objectives[0][0], -1.0), reached)
    if least is not None:
        worst_accuracy = max(worst_accuracy, least - MISSED_BY)
    return worst_ms, worst_accuracy
