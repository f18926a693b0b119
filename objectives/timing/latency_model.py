"""Latency predictor: physical features with a prior on the price of each, a few measurements, and an error bar.

Time is a sum over features (`objectives.timing.features`), each at a price. Prices have a prior that is known up to
the machine's level, and some 16 measurements are enough to correct it; which networks tell most is asked of the same
model (`informative`). The block of channels that the engine works on is chosen by the evidence; how far measurements
scatter around the model is averaged over, so that the error bar stays honest with few of them.

Predictions are of ratios to the target's reference, as they are measured; they are never reported as measured.

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
"""Number of measurements after which the figures of `docs/results/latency.md` hold."""

BLOCKS: Final = (16, 8, 32, 1)  # of channels; the first is taken where nothing speaks for another
SCATTERS: Final = np.array([0.008, 0.012, 0.017, 0.024, 0.034, 0.048, 0.068, 0.1, 0.2])
SCATTER, SCATTER_DOUBT = 0.024, 0.4  # of a measurement around the model: median, and sd of its logarithm
FLOOR = 0.2  # of the time by the prior: no prediction is below


@dataclass(frozen=True)
class Observation:
    """Measured latency.

    Attributes:
        ratio: To the target's reference, measured; above 0.
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
        sd: (N,), standard deviation of one measurement around `mean`, the measurement's own scatter included.
    """

    mean: Amounts
    sd: Amounts


@dataclass(frozen=True)
class FittedLatency:
    """Latency predictor of one structure on one target, with prices fitted to measurements.

    Attributes:
        features: Those of the block that the evidence speaks for.
        level: The uncut network's ratio by the prior, above 0.
        prices: (S, F), what each feature adds to the ratio, for each scatter in `SCATTERS`.
        doubts: (S, F, F), their covariances.
        weights: (S,), how far the measurements support each scatter; they add up to 1.
    """

    features: Features
    level: float
    prices: Amounts
    doubts: Amounts
    weights: Amounts

    def predict(self, shapes: Sequence[Shape]) -> Prediction:
        """Predict N shapes, of any image sizes.

        Raises:
            SpaceError: If a shape is of another structure.
        """
        known = self.features.of(shapes)
        each = known @ self.prices.T  # (N, S)
        mean = each @ self.weights
        within = np.zeros(len(known))
        for weight, doubt, scatter, one in zip(self.weights, self.doubts, SCATTERS, each.T, strict=True):
            if weight > 1e-3:
                within += weight * (((known @ doubt) * known).sum(axis=1) + (scatter * one) ** 2 + (one - mean) ** 2)
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
        """Return prices from measurements; fit again as more come.

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
            candidates: What is to be predicted; the answer is taken from them.
            measured: What has been measured already; it is not asked for again.
            n: How many; fewer are returned where the candidates run out.

        Raises:
            SpaceError: If a shape is of another structure.
        """
        features = Features(self.structure, self.imgsz, BLOCKS[0])
        left = tuple(dict.fromkeys(each for each in candidates if each not in set(measured)))
        if not left or n < 1:
            return ()
        mean, deviation = features.prior
        known = features.of((*measured, *left))
        told = known * deviation / (known @ mean)[:, None]  # (M + N, F): doubt about each price, as shares of the time
        doubt = np.eye(len(deviation))
        for row in told[: len(measured)]:
            doubt = _less(doubt, row)
        told = told[len(measured) :]
        chosen: list[int] = []
        for _ in range(min(n, len(left))):
            shared = told @ doubt  # (N, F)
            own = (shared * told).sum(axis=1)
            spread = shared @ (told.T @ told / len(told))
            gain = (spread * shared).sum(axis=1) / (own + SCATTER**2)
            gain[chosen] = -1.0
            chosen.append(int(np.argmax(gain)))
            doubt = _less(doubt, told[chosen[-1]])
        return tuple(left[index] for index in chosen)


def _less(doubt: Amounts, row: Amounts) -> Amounts:
    """Return the covariance (F, F) after a measurement of a network with these features (F,)."""
    shared = doubt @ row
    rest: Amounts = doubt - np.outer(shared, shared) / (row @ shared + SCATTER**2)
    return rest


def _fitted(features: Features, shapes: Sequence[Shape], ratios: Amounts) -> tuple[float, FittedLatency]:
    """Return the fit for one block of channels, and the logarithm of its evidence."""
    known = features.of(shapes)
    mean, deviation = features.prior
    level = float(np.median(ratios / (known @ mean)))
    mean, variance = level * mean, (level * deviation) ** 2
    relative = known / ratios[:, None]
    found = [_posterior(relative, mean, variance, scatter) for scatter in SCATTERS]
    belief = -0.5 * (np.log(SCATTERS / SCATTER) / SCATTER_DOUBT) ** 2
    evidence = np.array([each[2] for each in found]) + belief
    weights = np.exp(evidence - evidence.max())
    total = float(evidence.max() + np.log(weights.sum()))
    prices, doubts = np.stack([each[0] for each in found]), np.stack([each[1] for each in found])
    return total, FittedLatency(features, level, prices, doubts, weights / weights.sum())


def _posterior(relative: Amounts, mean: Amounts, variance: Amounts, scatter: float) -> tuple[Amounts, Amounts, float]:
    """Return prices (F,), their covariance (F, F) and the log evidence; features (N, F) are divided by the ratio."""
    missing = 1.0 - relative @ mean
    shared = variance[:, None] * relative.T  # (F, N)
    spread = relative @ shared + scatter**2 * np.eye(len(relative))
    solved = np.linalg.solve(spread, missing)
    doubt = np.diag(variance) - shared @ np.linalg.solve(spread, shared.T)
    evidence = -0.5 * float(missing @ solved) - float(np.log(np.diag(np.linalg.cholesky(spread))).sum())
    return mean + shared @ solved, doubt, evidence
