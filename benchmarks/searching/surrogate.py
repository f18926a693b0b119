"""Surrogate of the table of variants: models of accuracy and latency for any point of the space it was drawn from.

The models are trees on top of a linear trend, not the Gaussian process of our sampler, so that our sampler has no
advantage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.stats import kendalltau
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold

from benchmarks.searching.digits_table import VariantProblem
from benchmarks.searching.problems import Vector
from search.record.staircase import Staircase
from search.sampler.candidate_pool import CandidatePool, Point

FOLDS = 5
BEST_ROUNDS = 40
"""Rounds of the long search for the best hypervolume."""


@dataclass(frozen=True)
class TrendAndTrees:
    """A linear model, and trees on its residuals: trees alone know no trend between the points of their training."""

    linear: RidgeCV
    trees: ExtraTreesRegressor

    @staticmethod
    def fit(features: Vector, wanted: Vector) -> TrendAndTrees:
        """Fit both."""
        linear = RidgeCV(np.logspace(-3, 3, 13)).fit(features, wanted)
        trees = ExtraTreesRegressor(150, min_samples_leaf=2, max_features=0.5, random_state=0)
        return TrendAndTrees(linear, trees.fit(features, wanted - linear.predict(features)))

    def predict(self, features: Vector) -> Vector:
        """Return the predictions, shape (M,)."""
        found: Vector = self.linear.predict(features) + self.trees.predict(features)
        return found


@dataclass(frozen=True)
class Surrogate:
    """Accuracy and latency of any point."""

    problem: VariantProblem
    _accuracy: TrendAndTrees
    _log_latency: TrendAndTrees

    @staticmethod
    def of(problem: VariantProblem) -> Surrogate:
        """Fit the models to all variants of a problem."""
        features = _with_means(problem.parameter_features, len(problem.choices))
        accuracy = TrendAndTrees.fit(features, problem.accuracy)
        return Surrogate(problem, accuracy, TrendAndTrees.fit(features, np.log(problem.latency)))

    def predict(self, points: Sequence[Point]) -> tuple[Vector, Vector]:
        """Return latency and accuracy, shape (M,) each."""
        parameters = CandidatePool(self.problem.parameters).features(points)
        features = _with_means(parameters, len(self.problem.choices))
        return np.exp(self._log_latency.predict(features)), self._accuracy.predict(features)

    @cached_property
    def best_hypervolume(self) -> float:
        """Hypervolume of a long evolutionary search that knows all predictions."""
        pool, random = CandidatePool(self.problem.parameters), np.random.default_rng(0)
        points: list[Point] = pool.draw(4000, [], random)
        for _ in range(BEST_ROUNDS):
            latency, accuracy = self.predict(points)
            order = np.argsort(latency)
            best = np.maximum.accumulate(accuracy[order])
            members = [points[order[i]] for i in range(len(order)) if i == 0 or accuracy[order[i]] > best[i - 1]]
            points = [*members, *pool.draw(1000, members, random)]
        return self.hypervolume(points)

    def hypervolume(self, points: Sequence[Point]) -> float:
        """Return the hypervolume of log latency and accuracy, without noise."""
        latency, accuracy = self.predict(points)
        slowest, lowest = self.problem.worst
        return Staircase.of(np.log(latency), accuracy, float(np.log(slowest)), lowest).hypervolume

    def train(self, point: Point, random: np.random.Generator) -> float:
        """Return the accuracy of one training: the prediction, with noise as large as that between seeds."""
        noise = 0.0 if np.isnan(self.problem.noise) else self.problem.noise
        return float(self.predict([point])[1][0] + noise * random.standard_normal())


def _with_means(features: Vector, columns: int) -> Vector:
    """Add the means over neighbouring groups, which say more together than many single ratios."""
    ratios = features[:, features.shape[1] - (columns - 2) :]
    parts = [part.mean(axis=1) for part in np.array_split(ratios, 6, axis=1)]
    return np.column_stack([features, *parts, ratios.mean(axis=1), np.log(ratios + 0.1).mean(axis=1)])


def cross_validated_tau(problem: VariantProblem) -> tuple[float, float]:
    """Return Kendall's tau of accuracy, and of latency, for variants that the models were not fitted to."""
    features = _with_means(problem.parameter_features, len(problem.choices))
    taus = []
    for wanted in (problem.accuracy, np.log(problem.latency)):
        predicted = np.empty(len(wanted))
        for fit, rest in KFold(FOLDS, shuffle=True, random_state=0).split(features):
            predicted[rest] = TrendAndTrees.fit(features[fit], wanted[fit]).predict(features[rest])
        taus.append(float(kendalltau(predicted, wanted).statistic))
    return taus[0], taus[1]
