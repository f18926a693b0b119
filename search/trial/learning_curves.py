"""How accurate a network will be at the end of its training, told from the beginning of its learning curve.

A linear model from what is seen at one epoch (mAP, its last step, loss, the network's latency) to the mAP at the end,
learnt from the curves that were finished, with the spread of a prediction by Student's t. mAP alone ranks small
networks, which learn slowly, below what they become; the loss speaks while mAP is still 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
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


@dataclass
class Ends:
    """Foretells the ends of curves; what is learnt for one beginning serves all curves that are known as far.

    Attributes:
        finished: Curves of trainings with as many epochs and the same scored ones; others are left out.
    """

    finished: Sequence[Curve]
    _learnt: dict[tuple[int, ...], _Line | None] = field(default_factory=dict, repr=False)

    def of(self, curve: Curve) -> Foretold | None:
        """The end of a curve from its beginning; None while too few are finished."""
        scored = tuple(each.epoch for each in curve.epochs)
        if scored not in self._learnt:
            self._learnt[scored] = self._learn(scored)
        line = self._learnt[scored]
        return None if line is None else line.at(np.array(_features(curve.latency_ms, curve.epochs)))

    def _learn(self, scored: tuple[int, ...]) -> _Line | None:
        alike = [each for each in self.finished if _begins_alike(scored, each.epochs)]
        if len(alike) < LEAST_CURVES:
            return None
        seen = np.array([_features(each.latency_ms, each.epochs[: len(scored)]) for each in alike])
        return _Line.through(seen, np.array([max(each.map50_95 for each in whole.epochs) for whole in alike]))


def _begins_alike(scored: tuple[int, ...], whole: Sequence[EpochResult]) -> bool:
    return len(whole) > len(scored) and tuple(each.epoch for each in whole[: len(scored)]) == scored


def _features(latency_ms: float, epochs: Sequence[EpochResult]) -> tuple[float, ...]:
    last, before = epochs[-1], epochs[-2:][0]
    return last.map50_95, last.map50_95 - before.map50_95, last.map50, np.log(last.loss), np.log(latency_ms)


@dataclass(frozen=True)
class _Line:
    """Ridge regression on standardised columns; the error is that of a new curve, not of the mean."""

    centre: Values
    scale: Values
    slopes: Values
    inverse: Values
    middle: float
    spread: float
    freedom: float
    count: int

    @staticmethod
    def through(seen: Values, ends: Values) -> _Line:
        centre, scale = seen.mean(axis=0), np.maximum(seen.std(axis=0), 1e-9)
        known, middle = (seen - centre) / scale, float(ends.mean())
        inverse = np.linalg.inv(known.T @ known + SHRINKAGE * np.eye(known.shape[1]))
        slopes = inverse @ known.T @ (ends - middle)
        left = ends - middle - known @ slopes
        freedom = max(2.0, len(ends) - 1 - float(np.trace(known @ inverse @ known.T)))
        return _Line(centre, scale, slopes, inverse, middle, float(left @ left) / freedom, freedom, len(ends))

    def at(self, asked: Values) -> Foretold:
        new = (asked - self.centre) / self.scale
        error = np.sqrt(self.spread * (1 + 1 / self.count + new @ self.inverse @ new))
        return Foretold(float(self.middle + new @ self.slopes), max(float(error), 1e-6), self.freedom)
