"""How accurate a network will be at the end of its training, told from the beginning of its learning curve.

A linear model from what is seen at one epoch (mAP, its last step, loss, the network's latency) to the mAP at the end,
learnt from the curves that were finished, with the spread of a prediction by Student's t. mAP alone ranks small
networks, which learn slowly, below what they become; the loss speaks while mAP is still 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from objectives.base import EpochResult

Values = NDArray[np.float64]

LEAST_CURVES = 8
"""Finished curves before anything is foretold."""

SHRINKAGE = 0.3
"""Of slopes towards 0, in units of one curve's weight; with it few curves suffice."""


class Curve(NamedTuple):
    """A learning curve, and the latency of the network whose it is."""

    latency_ms: float
    epochs: Sequence[EpochResult]


@dataclass(frozen=True)
class Foretold:
    """The mAP50-95 at the end: mean, standard error of a prediction, and its degrees of freedom."""

    mean: float
    error: float
    freedom: float

    def at_best(self, confidence: float) -> float:
        """What the end will not be above, with that probability."""
        return self.mean + float(student.ppf(confidence, self.freedom)) * self.error


def foretell(curve: Curve, finished: Sequence[Curve]) -> Foretold | None:
    """The end of a curve from its beginning; None while too few are finished.

    Args:
        finished: Curves of trainings with as many epochs and the same scored ones; others are left out.
    """
    count = len(curve.epochs)
    alike = [each for each in finished if _begins_alike(curve.epochs, each.epochs)]
    if len(alike) < LEAST_CURVES:
        return None
    seen = np.array([_features(each.latency_ms, each.epochs[:count]) for each in alike])
    ends = np.array([max(each.map50_95 for each in finished_curve.epochs) for finished_curve in alike])
    return _predicted(np.array(_features(curve.latency_ms, curve.epochs)), seen, ends)


def _begins_alike(beginning: Sequence[EpochResult], whole: Sequence[EpochResult]) -> bool:
    epochs = [each.epoch for each in beginning]
    return len(whole) > len(epochs) and [each.epoch for each in whole[: len(epochs)]] == epochs


def _features(latency_ms: float, epochs: Sequence[EpochResult]) -> tuple[float, ...]:
    last, before = epochs[-1], epochs[-2:][0]
    return last.map50_95, last.map50_95 - before.map50_95, last.map50, np.log(last.loss), np.log(latency_ms)


def _predicted(asked: Values, seen: Values, ends: Values) -> Foretold:
    """Ridge regression on standardised columns; the error is that of a new curve, not of the mean."""
    centre, scale = seen.mean(axis=0), np.maximum(seen.std(axis=0), 1e-9)
    known, new = (seen - centre) / scale, (asked - centre) / scale
    inverse = np.linalg.inv(known.T @ known + SHRINKAGE * np.eye(known.shape[1]))
    middle = ends.mean()
    slopes = inverse @ known.T @ (ends - middle)
    left = ends - middle - known @ slopes
    freedom = max(2.0, len(ends) - 1 - float(np.trace(known @ inverse @ known.T)))
    spread = float(left @ left) / freedom
    error = np.sqrt(spread * (1 + 1 / len(ends) + new @ inverse @ new))
    return Foretold(float(middle + new @ slopes), float(max(error, 1e-6)), freedom)
