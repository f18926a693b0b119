"""Prediction of the accuracy at the end of a training from the beginning of its learning curve.

A ridge regression from the values at one epoch (mAP50-95, its last step, mAP50, loss, the network's latency) to the
final mAP50-95, fitted to the complete curves; the error of a prediction follows Student's t. Accuracy alone would rank
small networks, which learn slowly, too low; the loss is informative while mAP is still 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student

from objectives.base import EpochResult
from search.record.latency_text import LATENCY
from search.record.staircase import Values
from search.record.trial import Outcome, TrialRecord

MIN_CURVES = 8
"""Minimum number of complete curves before anything is predicted."""

SHRINKAGE = 0.3
"""Strength of the ridge penalty on slopes, in units of one curve's weight; with it few curves are enough."""


class LearningCurve(NamedTuple):
    """A learning curve and the latency of its network."""

    latency_ms: float
    epochs: Sequence[EpochResult]


@dataclass(frozen=True)
class PredictedAccuracy:
    """A predicted final mAP50-95: mean, standard error of the prediction, and its degrees of freedom."""

    mean: float
    error: float
    freedom: float

    def upper_bound(self, confidence: float) -> float:
        """Return the upper confidence bound: the final value is not above it with this probability."""
        return self.mean + float(student.ppf(confidence, self.freedom)) * self.error


@dataclass
class FinalAccuracyPredictor:
    """Predicts final accuracies; one fit serves all curves that are known up to the same epoch.

    Attributes:
        complete: Curves of complete trainings. Used are those that were scored at the same epochs.
    """

    complete: Sequence[LearningCurve]
    _fitted: dict[tuple[int, ...], _RidgeRegression | None] = field(default_factory=dict, repr=False)

    def predict(self, curve: LearningCurve) -> PredictedAccuracy | None:
        """Predict the end of a curve from its beginning; None while there are too few complete curves."""
        scored = tuple(each.epoch for each in curve.epochs)
        if scored not in self._fitted:
            self._fitted[scored] = self._fit(scored)
        fitted = self._fitted[scored]
        return None if fitted is None else fitted.predict(np.array(_features(curve.latency_ms, curve.epochs)))

    def _fit(self, scored: tuple[int, ...]) -> _RidgeRegression | None:
        alike = [each for each in self.complete if _begins_alike(scored, each.epochs)]
        if len(alike) < MIN_CURVES:
            return None
        features = np.array([_features(each.latency_ms, each.epochs[: len(scored)]) for each in alike])
        ends = np.array([max(each.map50_95 for each in whole.epochs) for whole in alike])
        return _RidgeRegression.fit(features, ends)


def complete_curves(records: Sequence[TrialRecord], epochs: int) -> list[LearningCurve]:
    """Return the curves of the complete trials that were trained for this number of epochs."""
    return [
        LearningCurve(ms, record.rungs)
        for record in records
        if record.outcome is Outcome.COMPLETE and not record.is_reference and record.rungs
        if record.rungs[-1].epoch == epochs and (ms := record.value(LATENCY)) is not None
    ]


def _begins_alike(scored: tuple[int, ...], whole: Sequence[EpochResult]) -> bool:
    return len(whole) > len(scored) and tuple(each.epoch for each in whole[: len(scored)]) == scored


def _features(latency_ms: float, epochs: Sequence[EpochResult]) -> tuple[float, ...]:
    last, before = epochs[-1], epochs[-2:][0]
    return last.map50_95, last.map50_95 - before.map50_95, last.map50, np.log(last.loss), np.log(latency_ms)


@dataclass(frozen=True)
class _RidgeRegression:
    """Ridge regression on standardised columns; its error is that of a new curve, not of the mean."""

    centre: Values
    scale: Values
    slopes: Values
    inverse: Values
    middle: float
    variance: float
    freedom: float
    count: int

    @staticmethod
    def fit(features: Values, ends: Values) -> _RidgeRegression:
        centre, scale = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-9)
        known, middle = (features - centre) / scale, float(ends.mean())
        inverse = np.linalg.inv(known.T @ known + SHRINKAGE * np.eye(known.shape[1]))
        slopes = inverse @ known.T @ (ends - middle)
        left = ends - middle - known @ slopes
        freedom = max(2.0, len(ends) - 1 - float(np.trace(known @ inverse @ known.T)))
        return _RidgeRegression(
            centre, scale, slopes, inverse, middle, float(left @ left) / freedom, freedom, len(ends)
        )

    def predict(self, features: Values) -> PredictedAccuracy:
        new = (features - self.centre) / self.scale
        error = np.sqrt(self.variance * (1 + 1 / self.count + new @ self.inverse @ new))
        return PredictedAccuracy(float(self.middle + new @ self.slopes), max(float(error), 1e-6), self.freedom)
