"""Which of many candidates to train next: the one that is expected to add most to the front. Knows no Optuna.

Latency is known of every candidate before any training; only accuracy has to be guessed at.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from search.record.staircase import Staircase
from search.sampler.accuracy_model import AccuracyModel, FittedAccuracy

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Candidates:
    """Networks that could be trained.

    Attributes:
        features: (M, D), between 0 and 1; latency is none of them.
        latency: (M,), above 0, known or predicted.
    """

    features: Values
    latency: Values

    def described(self, fastest: float, slowest: float) -> Values:
        """(M, D + 1): features and the logarithm of the latency, 0 at the fastest and 1 at the slowest."""
        span = max(np.log(slowest / fastest), 1e-9)
        return np.column_stack([self.features, np.log(self.latency / fastest) / span])


@dataclass(frozen=True)
class Trained:
    """Networks whose accuracy is known.

    Attributes:
        candidates: N of them.
        accuracy: (N,).
        variance: (N,), of what is only half known: a training that was stopped.
    """

    candidates: Candidates
    accuracy: Values
    variance: Values


@dataclass
class FrontSearch:
    """Proposes one candidate of a pool at a time.

    Attributes:
        reference_latency: What is slower has no value.
        reference_accuracy: What is less accurate has no value.
    """

    reference_latency: float
    reference_accuracy: float = 0.0
    _model: AccuracyModel | None = field(default=None, repr=False)

    def propose(
        self,
        trained: Trained,
        pool: Candidates,
        pending: Candidates | None = None,
        beside: tuple[Values, Values] | None = None,
        earlier: Trained | None = None,
    ) -> int:
        """The candidate of the pool with the greatest expected gain in hypervolume, of accuracy and log latency.

        By its logarithm, twice as fast is worth the same everywhere; in ms the slow end would be all that counts.

        Args:
            trained: At least one network.
            pool: What is still to be had; candidates that are trained or pending are not in it.
            pending: What other workers train just now: it counts as if it reached what is expected of it.
            beside: Latency and accuracy of other networks that are to be beaten and teach nothing: parent, donors.
            earlier: Trainings of other studies: they teach, and are not to be beaten. Their accuracy may be another
                one than here (longer or shorter trainings); how much is learnt with the rest.
        """
        fastest = min(float(pool.latency.min()), float(trained.candidates.latency.min()))
        described = partial(_described, fastest=fastest, slowest=self.reference_latency, several=earlier is not None)
        known, accuracy, variance = described(trained.candidates), trained.accuracy, trained.variance
        latency = trained.candidates.latency
        own = len(latency)
        if earlier is not None:
            known = np.vstack([known, described(earlier.candidates, elsewhere=True)])
            accuracy = np.append(accuracy, earlier.accuracy)
            variance = np.append(variance, earlier.variance)
        fitted = self._fit(known, accuracy, variance)
        reached = fitted.mean_of_seen[:own]  # not what was seen: the luckiest of many trainings would be the front
        waiting = None
        if pending is not None and len(pending.latency):
            waiting = described(pending)
            latency, reached = np.append(latency, pending.latency), np.append(reached, fitted.mean(waiting))
        if beside is not None:
            latency, reached = np.append(latency, beside[0]), np.append(reached, beside[1])
        front = Staircase.of(np.log(latency), reached, np.log(self.reference_latency), self.reference_accuracy)
        mean, sd = fitted.predict(described(pool), waiting)
        return int(np.argmax(front.expected_gain(np.log(pool.latency), mean, sd)))

    def _fit(self, features: Values, accuracy: Values, variance: Values) -> FittedAccuracy:
        if self._model is None or self._model.columns != features.shape[1]:
            self._model = AccuracyModel(features.shape[1])
        return self._model.fit(features, accuracy, variance)


def _described(
    candidates: Candidates, *, fastest: float, slowest: float, several: bool, elsewhere: bool = False
) -> Values:
    """Candidates as the model sees them; of several studies with a column that tells whose a training was."""
    features = candidates.described(fastest, slowest)
    return np.column_stack([features, np.full(len(features), float(elsewhere))]) if several else features


def spread_by_latency(
    latency: Values, count: int, random: np.random.Generator, damage: Values | None = None
) -> list[int]:
    """Indices of the first candidates to train: one from each of so many equal parts of the pool, by latency.

    Args:
        damage: (M,), what was cut of each, where it is known: the least damaged of each part, else any.
    """
    parts = np.array_split(np.argsort(latency), count)
    if damage is None:
        return [int(random.choice(part)) for part in parts if len(part)]
    return [int(part[np.argmin(damage[part])]) for part in parts if len(part)]
