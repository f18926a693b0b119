"""Latency predictor: a linear model of physical features with prior prices, a few measurements, and an error bar.

Time is a sum over features (`objectives.timing.features`), each multiplied by its price. The prior of the prices is
known except for the level of the machine, and some 16 measurements are enough to correct it. `informative` chooses the
networks to measure by the same model. The engine's block of channels is the one with the highest evidence. The unknown
scatter of measurements around the model is averaged over, so that the error bar is right with few measurements too.

Predictions are ratios to the target's reference, as measurements are; they are never reported as measured values.

Source: Rasmussen and Williams, Gaussian Processes for Machine Learning (2006), 2.1 (Bayesian linear model), 5.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from objectives.timing.features import Features
from spaces.base import SpaceError
from spaces.networks.cost_formula import Amounts
from spaces.structure.shape import Shape
from spaces.structure.structure import Structure

FIRST: Final = 16
"""Number of measurements from which on the accuracy in `docs/results/latency.md` is reached."""

BLOCKS: Final = (16, 8, 32, 1)  # of channels; at equal evidence the first is taken
SCATTERS: Final = np.array([0.008, 0.012, 0.017, 0.024, 0.034, 0.048, 0.068, 0.1, 0.2])
SCATTER, SCATTER_DOUBT = 0.024, 0.4  # of measurements around the model, prior: median, and sd of the logarithm
FLOOR = 0.2  # share of the prior's time below which no prediction lies


@dataclass(frozen=True)
class Observation:
    """Measured latency.

    Attributes:
        ratio: Measured ratio to the target's reference, above 0.
    """

    shape: Shape
    ratio: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.ratio) and self.ratio > 0):
            raise ValueError(f"the ratio of shape {self.shape.key} is {self.ratio}; it must be above 0 and finite")


@dataclass(frozen=True)
class Prediction:
    """Predicted latencies of N networks.

    Attributes:
        mean: (N,), ratio to the target's reference, above 0.
        sd: (N,), standard deviation of one measurement around `mean`, including the measurement's own scatter.
    """

    mean: Amounts
    sd: Amounts


@dataclass(frozen=True)
class FittedLatency:
    """Latency predictor of one structure on one target, with prices fitted to measurements.

    Attributes:
        features: Features for the block of channels with the highest evidence.
        level: Ratio of the uncut network by the prior, above 0.
        prices: (S, F), contribution of each feature to the ratio, for each scatter in `SCATTERS`.
        covariances: (S, F, F), covariances of the prices.
        weights: (S,), posterior probability of each scatter.
    """

    features: Features
    level: float
    prices: Amounts
    covariances: Amounts
    weights: Amounts

    def predict(self, shapes: Sequence[Shape]) -> Prediction:
        """Predict the latencies of N shapes, of any image sizes.

        Raises:
            SpaceError: If a shape is of another structure.
        """
        known = self.features.of(shapes)
        each = known @ self.prices.T  # (N, S)
        mean = each @ self.weights
        within = np.zeros(len(known))
        for weight, covariance, scatter, one in zip(self.weights, self.covariances, SCATTERS, each.T, strict=True):
            if weight > 1e-3:
                within += weight * (
                    ((known @ covariance) * known).sum(axis=1) + (scatter * one) ** 2 + (one - mean) ** 2
                )
        floor = FLOOR * self.level * (known @ self.features.prior[0])
        return Prediction(np.maximum(mean, floor), np.sqrt(within))

    @property
    def scatter(self) -> float:
        """Relative difference between a measurement and the model (one standard deviation)."""
        return float(np.sqrt(self.weights @ SCATTERS**2))


@dataclass(frozen=True)
class LatencyModel:
    """Latency predictor of one structure on one target, before any measurement.

    Attributes:
        imgsz: Image size of most of the networks, in px.
    """

    structure: Structure
    imgsz: int

    def fit(self, observations: Sequence[Observation]) -> FittedLatency:
        """Fit the prices to all measurements so far.

        Raises:
            SpaceError: If there is no measurement, or one is of another structure.
        """
        if not observations:
            raise SpaceError("a latency model needs at least one measurement; there are none")
        shapes = [each.shape for each in observations]
        ratios = np.array([each.ratio for each in observations])
        fits = [_fitted(Features(self.structure, self.imgsz, block), shapes, ratios) for block in BLOCKS]
        return max(fits, key=lambda found: found[0])[1]

    def informative(self, candidates: Sequence[Shape], measured: Sequence[Shape], n: int) -> tuple[Shape, ...]:
        """Choose the shapes to measure next: each reduces the variance over all candidates the most.

        Args:
            candidates: Shapes whose latencies will be predicted; the choice is made among them.
            measured: Shapes that have been measured already; they are not chosen again.
            n: Maximum number of shapes; fewer if there are fewer candidates.

        Raises:
            SpaceError: If a shape is of another structure.
        """
        features = Features(self.structure, self.imgsz, BLOCKS[0])
        left = tuple(dict.fromkeys(each for each in candidates if each not in set(measured)))
        if not left or n < 1:
            return ()
        mean, deviation = features.prior
        known = features.of((*measured, *left))
        scaled = known * deviation / (known @ mean)[:, None]  # (M + N, F): sd by each price, as shares of the time
        covariance = np.eye(len(deviation))
        for row in scaled[: len(measured)]:
            covariance = _reduced(covariance, row)
        scaled = scaled[len(measured) :]
        chosen: list[int] = []
        for _ in range(min(n, len(left))):
            shared = scaled @ covariance  # (N, F)
            own = (shared * scaled).sum(axis=1)
            spread = shared @ (scaled.T @ scaled / len(scaled))
            gain = (spread * shared).sum(axis=1) / (own + SCATTER**2)
            gain[chosen] = -1.0
            chosen.append(int(np.argmax(gain)))
            covariance = _reduced(covariance, scaled[chosen[-1]])
        return tuple(left[index] for index in chosen)


def _reduced(covariance: Amounts, row: Amounts) -> Amounts:
    """Return the covariance (F, F) after a measurement of a network with these features (F,)."""
    shared = covariance @ row
    rest: Amounts = covariance - np.outer(shared, shared) / (row @ shared + SCATTER**2)
    return rest


def _fitted(features: Features, shapes: Sequence[Shape], ratios: Amounts) -> tuple[float, FittedLatency]:
    """Return the fit for one block of channels, and the logarithm of its evidence."""
    known = features.of(shapes)
    mean, deviation = features.prior
    level = float(np.median(ratios / (known @ mean)))
    mean, variance = level * mean, (level * deviation) ** 2
    sums = _Sums.of(known / ratios[:, None], mean, variance)
    found = [_posterior(sums, mean, scatter) for scatter in SCATTERS]
    log_prior = -0.5 * (np.log(SCATTERS / SCATTER) / SCATTER_DOUBT) ** 2
    evidence = np.array([each[2] for each in found]) + log_prior
    weights = np.exp(evidence - evidence.max())
    total = float(evidence.max() + np.log(weights.sum()))
    prices, covariances = np.stack([each[0] for each in found]), np.stack([each[1] for each in found])
    return total, FittedLatency(features, level, prices, covariances, weights / weights.sum())


@dataclass(frozen=True)
class _Sums:
    """Sums over N measurements. With them the work of a posterior depends on the number of features alone.

    Attributes:
        deviation: (F,), standard deviations of the prices by the prior.
        axes: (F, F), columns in which features, in units of `deviation`, do not correlate.
        lengths: (F,), sum of squares of the measurements' features in each of them, at least 0.
        missing: (F,), sum over measurements of features times what the prior's mean leaves of the ratio.
        square: Sum of the squares of what it leaves.
        count: N.
    """

    deviation: Amounts
    axes: Amounts
    lengths: Amounts
    missing: Amounts
    square: float
    count: int

    @classmethod
    def of(cls, relative: Amounts, mean: Amounts, variance: Amounts) -> _Sums:
        """Sum over features (N, F) that are divided by the measured ratio."""
        deviation, missing = np.sqrt(variance), 1.0 - relative @ mean
        scaled = relative * deviation
        lengths, axes = np.linalg.eigh(scaled.T @ scaled)
        toward = axes.T @ (scaled.T @ missing)
        return cls(deviation, axes, np.maximum(lengths, 0.0), toward, float(missing @ missing), len(relative))


def _posterior(sums: _Sums, mean: Amounts, scatter: float) -> tuple[Amounts, Amounts, float]:
    """Return prices (F,), their covariance (F, F) and the log evidence.

    Source: the matrix inversion and determinant lemmas; Rasmussen and Williams (2006), A.3.
    """
    noise = scatter**2
    spread = noise + sums.lengths
    prices = mean + sums.deviation * (sums.axes @ (sums.missing / spread))
    half = sums.deviation[:, None] * sums.axes * np.sqrt(noise / spread)
    left = (sums.square - float((sums.missing**2 / spread).sum())) / noise
    log_determinant = sums.count * np.log(noise) + np.log(spread / noise).sum()
    return prices, half @ half.T, -0.5 * (left + float(log_determinant))
