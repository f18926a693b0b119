"""Which of many candidates to train next: the one that is expected to add most to the front. Knows no Optuna.

Latency is known of every candidate before any training; only accuracy has to be guessed at.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from search.accuracy_model import AccuracyModel, FittedAccuracy
from search.expected_gain import Staircase

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Candidates:
    """Networks that could be trained.

    Attributes:
        features: (M, D), between 0 and 1; latency is none of them.
        latency: (M,), above 0, known or predicted.
        cost: (M, C), above 0, in any units: parameters, FLOPs. Known beforehand too; of all candidates or of none.
    """

    features: Values
    latency: Values
    cost: Values | None = None

    @property
    def amounts(self) -> Values:
        """(M, 1 + C): latency and cost."""
        return self.latency[:, None] if self.cost is None else np.column_stack([self.latency, self.cost])


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
        categories: (D,), which features stand for a category's option; by default none.
    """

    reference_latency: float
    reference_accuracy: float = 0.0
    categories: NDArray[np.bool_] | None = None
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
        described = partial(_described, scale=self._scale(pool, trained.candidates), several=earlier is not None)
        known, accuracy, variance = described(trained.candidates), trained.accuracy, trained.variance
        latency = trained.candidates.latency
        own = len(latency)
        if earlier is not None:
            known = np.vstack([known, described(earlier.candidates, elsewhere=True)])
            accuracy = np.append(accuracy, earlier.accuracy)
            variance = np.append(variance, earlier.variance)
        fitted = self._fit(known, accuracy, variance, pool)
        members, waiting = known[:own], None
        if pending is not None and len(pending.latency):
            waiting = described(pending)
            members, latency = np.vstack([members, waiting]), np.append(latency, pending.latency)
        reached = fitted.mean(members)  # not what was seen: the luckiest of many trainings would be the front
        if beside is not None:
            latency, reached = np.append(latency, beside[0]), np.append(reached, beside[1])
        front = Staircase.of(np.log(latency), reached, np.log(self.reference_latency), self.reference_accuracy)
        mean, sd = fitted.predict(described(pool), waiting)
        return int(np.argmax(front.expected_gain(np.log(pool.latency), mean, sd)))

    def _scale(self, *several: Candidates) -> tuple[Values, Values]:
        """What of latency and cost counts as 0 and as 1: (1 + C,), (1 + C,)."""
        amounts = np.vstack([each.amounts for each in several])
        low, high = amounts.min(axis=0), amounts.max(axis=0)
        high[0] = self.reference_latency
        return low, high

    def _fit(self, features: Values, accuracy: Values, variance: Values, pool: Candidates) -> FittedAccuracy:
        if self._model is None or self._model.columns != features.shape[1]:
            self._model = AccuracyModel(features.shape[1], self._summing_up(pool, features.shape[1]))
        return self._model.fit(features, accuracy, variance)

    def _summing_up(self, pool: Candidates, columns: int) -> NDArray[np.bool_] | None:
        """Latency, cost, categories and whose a training was; none where no cost is known."""
        if pool.cost is None:
            return None
        own = np.zeros(pool.features.shape[1], dtype=bool) if self.categories is None else self.categories
        return np.append(own, np.ones(columns - len(own), dtype=bool))


def _described(
    candidates: Candidates, *, scale: tuple[Values, Values], several: bool, elsewhere: bool = False
) -> Values:
    """(M, D + 1 + C): candidates as the model sees them, with the logarithms of latency and cost.

    Of several studies with a further column that tells whose a training was.
    """
    low, high = scale
    amounts = np.log(candidates.amounts / low) / np.maximum(np.log(high / low), 1e-9)
    further = [np.full(len(amounts), float(elsewhere))] if several else []
    return np.column_stack([candidates.features, amounts, *further])


def spread_by_latency(latency: Values, count: int, random: np.random.Generator) -> list[int]:
    """Indices of the first candidates to train: one from each of so many equal parts of the pool, by latency."""
    parts = np.array_split(np.argsort(latency), count)
    return [int(random.choice(part)) for part in parts if len(part)]
