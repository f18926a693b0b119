"""The rule `front`: stops a trial that will not reach the Pareto front, as its learning curve predicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from search.record.latency_text import LATENCY
from search.record.staircase import Staircase
from search.record.trial import Outcome, TrialRecord, trained_accuracy
from search.trial.learning_curves import FinalAccuracyPredictor, LearningCurve, complete_curves
from search.trial.stopping import RunningTrial, StoppingRule


@final
@dataclass(frozen=True)
class FrontRule(StoppingRule):
    """Stops a trial whose upper confidence bound on final accuracy is below the front at the same latency.

    A fast network is thus compared with fast ones: it may learn slowly, and end far below what slow networks reach.

    Attributes:
        confidence: Confidence of the bound. Chosen on half of a table of trainings, where 0.99 stops one in 30 members
            of the front and 0.999 one in 200.
    """

    confidence: float = 0.999
    name = "front"

    def judge(self, trial: RunningTrial, others: Sequence[TrialRecord]) -> str:
        """See `StoppingRule`."""
        predictor = FinalAccuracyPredictor(complete_curves(others, trial.epochs))
        predicted = predictor.predict(LearningCurve(trial.latency_ms, trial.curve))
        front = front_at(trial.latency_ms, others)
        title = trained_accuracy(others).title
        if predicted is None or front is None or predicted.upper_bound(self.confidence) >= front:
            return ""
        return (
            f"stopped at epoch {trial.epoch}: will reach {title} {predicted.mean:.3f}, at most "
            f"{predicted.upper_bound(self.confidence):.3f}; the front has {front:.3f} at {trial.latency_ms:.3g} ms"
        )


def front_at(latency_ms: float, records: Sequence[TrialRecord]) -> float | None:
    """Return the best accuracy of the feasible records that are no slower; None if there is none.

    Polished rows were trained for longer, and repeated ones are left out of the front.
    """
    name = trained_accuracy(records).name
    known = [
        (ms, accuracy)
        for record in records
        if record.feasible and record.outcome is Outcome.COMPLETE and not (record.is_polished or record.is_repeated)
        if (ms := record.value(LATENCY)) is not None and (accuracy := record.value(name)) is not None
    ]
    if not known:
        return None
    latency, accuracy = np.array(known).T
    height = float(Staircase.of(latency, accuracy, np.inf, -np.inf).height(np.array([latency_ms]))[0])
    return height if np.isfinite(height) else None
