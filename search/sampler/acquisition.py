"""The acquisition function: expected hypervolume improvement of the front. Independent of Optuna.

The latency of every candidate is known before any training, so only accuracy has to be modelled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from search.record.staircase import Staircase, Values
from search.sampler.accuracy_model import AccuracyModel, FittedAccuracy

INDIFFERENT = 0.95
"""Share of the greatest expected improvement above which candidates count as equally good."""


@dataclass(frozen=True)
class Candidates:
    """Networks that could be trained.

    Attributes:
        features: Shape (M, D), between 0 and 1, without latency.
        latency: Latency, measured or predicted, shape (M,), above 0.
        training: Training behind each, shape (M,), from 0 (none) to 1 (as much as is predicted for); None if all are
            trained equally.
        expected: Prior mean of the accuracy of each in any unit, shape (M,); None if there is none.
    """

    features: Values
    latency: Values
    training: Values | None = None
    expected: Values | None = None

    def at(self, places: Sequence[int] | NDArray[np.intp]) -> Candidates:
        """Return the candidates at these places."""
        chosen = np.asarray(places, dtype=np.intp)
        others = [None if each is None else each[chosen] for each in (self.training, self.expected)]
        return Candidates(self.features[chosen], self.latency[chosen], *others)

    def described(self, fastest: float, slowest: float) -> Values:
        """Return features, log latency (0 at the fastest, 1 at the slowest), and the training if they differ in it.

        Shape (M, D + 1) or (M, D + 2).
        """
        span = max(np.log(slowest / fastest), 1e-9)
        columns = [self.features, np.log(self.latency / fastest) / span]
        return np.column_stack(columns if self.training is None else [*columns, self.training])

    def fully_trained(self) -> Candidates:
        """Return the same networks with as much training as is predicted for."""
        return self if self.training is None else replace(self, training=np.ones(len(self.latency)))


@dataclass(frozen=True)
class TrainedCandidates:
    """Networks whose accuracy is known.

    Attributes:
        candidates: N networks.
        accuracy: Shape (N,).
        variance: Variance of each accuracy, shape (N,): above 0 for trainings that were stopped early.
    """

    candidates: Candidates
    accuracy: Values
    variance: Values


@dataclass
class FrontAcquisition:
    """Proposes the candidate of a pool with the greatest expected hypervolume improvement.

    Attributes:
        reference_latency: Latency of the reference point: slower networks add no hypervolume.
        reference_accuracy: Accuracy of the reference point: less accurate networks add no hypervolume.
        valued_at: Latency that all candidates of a pool are valued at, so that only their accuracy decides; None for
            their own. In a band of latency their own would favour its fast end, where a step in accuracy is steep.
    """

    reference_latency: float
    reference_accuracy: float = 0.0
    valued_at: float | None = None
    _model: AccuracyModel | None = field(default=None, repr=False)

    def propose(
        self,
        trained: TrainedCandidates,
        pool: Candidates,
        pending: Candidates | None = None,
        beside: tuple[Values, Values] | None = None,
        earlier: TrainedCandidates | None = None,
    ) -> int:
        """Return the index of the best candidate; see `ranked`."""
        return self.ranked(trained, pool, pending, beside, earlier, count=1)[0]

    def ranked(
        self,
        trained: TrainedCandidates,
        pool: Candidates,
        pending: Candidates | None = None,
        beside: tuple[Values, Values] | None = None,
        earlier: TrainedCandidates | None = None,
        *,
        count: int,
    ) -> list[int]:
        """Return the indices of the candidates with the greatest expected improvement of accuracy x log latency.

        With log latency, being twice as fast has the same value everywhere; with ms only slow networks would count.

        Args:
            trained: At least one network.
            pool: Candidates to choose from, without those that are trained or pending.
            pending: Candidates that other workers train now. Each counts as if it had reached its predicted mean.
            beside: Latency and accuracy of networks that belong to the front but are not learnt from: parent, donors.
            earlier: Trainings of other studies, which are learnt from but do not belong to the front. Their accuracy
                may be shifted (longer or shorter trainings); the model learns the shift.
            count: Number of candidates to return, the best first.
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
        fitted = self._fit(known, accuracy, variance, has_prior_mean=pool.expected is not None)
        reached = fitted.mean_of_observed[:own]  # not the observed values: lucky trainings would form the front
        if trained.candidates.training is not None:  # all compared at the training that the last networks will have
            reached = fitted.mean(described(trained.candidates.fully_trained()))
        waiting = None
        if pending is not None and len(pending.latency):
            waiting = described(pending.fully_trained())
            latency, reached = np.append(latency, pending.latency), np.append(reached, fitted.mean(waiting))
        if beside is not None:
            latency, reached = np.append(latency, beside[0]), np.append(reached, beside[1])
        front = Staircase.of(np.log(latency), reached, np.log(self.reference_latency), self.reference_accuracy)
        mean, sd = fitted.predict(described(pool.fully_trained()), waiting)
        latency_of_value = pool.latency if self.valued_at is None else np.full(len(pool.latency), self.valued_at)
        gain = front.expected_gain(np.log(latency_of_value), mean, sd)
        order = np.argsort(-gain, kind="stable")
        if pool.training is not None:
            # Where it makes little difference, the wider network: narrower ones can then begin with its weights.
            good = gain[order] >= INDIFFERENT * gain.max()
            order = np.concatenate([order[good][np.argsort(-pool.latency[order[good]], kind="stable")], order[~good]])
        return [int(place) for place in order[:count]]

    def _fit(self, features: Values, accuracy: Values, variance: Values, *, has_prior_mean: bool) -> FittedAccuracy:
        if self._model is None or self._model.columns != features.shape[1]:
            self._model = AccuracyModel(features.shape[1], has_prior_mean=has_prior_mean)
        return self._model.fit(features, accuracy, variance)


def _described(
    candidates: Candidates, *, fastest: float, slowest: float, several: bool, elsewhere: bool = False
) -> Values:
    """Return the features that the model learns from.

    With several studies, one more column marks other studies; with a prior mean, it is the last column.
    """
    features = candidates.described(fastest, slowest)
    if several:
        features = np.column_stack([features, np.full(len(features), float(elsewhere))])
    return features if candidates.expected is None else np.column_stack([features, candidates.expected])


def allowed(
    places: Sequence[int], latency: Values, limit_ms: float | None, band: tuple[float, float] | None
) -> list[int]:
    """Return the places of the candidates within the limit and the band of latency.

    If none is within the limit, the fastest one is returned; if none is within the band, those nearest to it.

    Args:
        places: Places to choose from; at least one.
        latency: Latency of all candidates in ms.
        limit_ms: Upper limit; None for no limit.
        band: Latencies in ms: above the first, at most the second; None for any.
    """
    fast = [place for place in places if limit_ms is None or latency[place] <= limit_ms]
    fast = fast or [min(places, key=lambda place: float(latency[place]))]
    if band is None:
        return fast
    inside = [place for place in fast if band[0] < latency[place] <= band[1]]
    if inside:
        return inside
    away = {place: max(np.log(latency[place] / band[1]), np.log(band[0] / latency[place])) for place in fast}
    near = min(away.values()) + np.log(band[1] / band[0])
    return [place for place in fast if away[place] <= near]


def parts_by_latency(latency: Values, count: int, loss_increase: Values) -> list[NDArray[np.intp]]:
    """Return the indices of the pool in `count` equal parts by latency, the fastest first; empty parts are left out.

    Each part is ordered by the predicted loss increase, shape (M,), the smallest first.
    """
    parts = np.array_split(np.argsort(latency), count)
    return [part[np.argsort(loss_increase[part], kind="stable")] for part in parts if len(part)]


def spread_by_latency(
    latency: Values, count: int, random: np.random.Generator, loss_increase: Values | None = None
) -> list[int]:
    """Return indices of the first candidates to train: one from each of `count` equal parts of the pool by latency.

    Args:
        loss_increase: Predicted loss increase of each candidate, shape (M,): the candidate with the smallest one of
            each part is taken; without it a random one.
    """
    if loss_increase is not None:
        return [int(part[0]) for part in parts_by_latency(latency, count, loss_increase)]
    parts = np.array_split(np.argsort(latency), count)
    return [int(random.choice(part)) for part in parts if len(part)]
