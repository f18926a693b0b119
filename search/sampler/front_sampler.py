"""The project's own sampler, behind Optuna's interface: latency is predicted, only accuracy is modelled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from search.record.staircase import Values
from search.sampler.acquisition import (
    Candidates,
    FrontAcquisition,
    TrainedCandidates,
    allowed,
    parts_by_latency,
    spread_by_latency,
)
from search.sampler.candidate_pool import CandidatePool, Point, non_dominated_points
from search.sampler.candidate_predictions import CandidatePredictions
from search.sampler.network_features import SENSITIVITY_WEIGHT
from search.sampler.optuna_study import distribution_of
from search.sampler.warm_start import KnownPoint

POOL_SIZE = 400
SCREENED = 4
"""Number of the most promising candidates whose loss is measured before one of them is trained."""
SCREENED_IN_BAND = 16
"""The same in a band of latency, where the smallest loss alone decides: all networks there are about as fast."""
WORST_LOSS = 10.0
"""Increase of the untrained loss beyond which a larger one says nothing more."""
MIN_TRAINED = 3
"""Minimum number of complete trials, of this study and earlier ones, before accuracy is modelled."""
MIN_TRAINED_IN_BAND = 12
"""The same in a band: with three, it chose 0.34 on blood cells where the sensitivity analysis had 0.46 mAP50-95."""
NEAR_BAND = 1.3
"""Ratio of latencies up to which the neighbours of a point are drawn for a band."""
FIRST_LATENCY_PARTS = (2, 4, 1, 3, 5, 0)
"""Latency sextile (0 = fastest) that each of the first six trials is drawn from; the least informative come last."""
COARSE_TO_FINE = (4, 3, 2, 1)
"""The same where trials inherit, which begin with the weights of wider ones; start points say little about cuts."""


class FrontSampler(BaseSampler):
    """Proposes the candidate with the greatest expected hypervolume improvement of accuracy and latency.

    The study has exactly these objectives: an accuracy, to be maximized, then latency in ms, to be minimized. A running
    trial counts as if it had reached its predicted accuracy, so that parallel workers propose different candidates.

    Args:
        predictions: Predictions for the study's candidates.
        seed: Seed of the pools.
        size: Number of candidates in a pool.
    """

    def __init__(self, predictions: CandidatePredictions, seed: int, size: int = POOL_SIZE) -> None:
        self._predictions, self._size = predictions, size
        self._pool = CandidatePool(predictions.plan.parameters)
        self._random = np.random.default_rng(seed)
        self._independent = RandomSampler(seed=seed)
        self._longest = 1  # epochs of the longest line
        worst_ms, worst_accuracy = predictions.worst
        if predictions.limit_ms is not None:
            worst_ms = min(worst_ms, predictions.limit_ms * 1.001)  # slower is not allowed; the limit itself is
        self._acquisition = FrontAcquisition(worst_ms, worst_accuracy)
        self._screening = FrontAcquisition(worst_ms, worst_accuracy)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return all parameters: they are proposed together."""
        return {name: distribution_of(parameter) for name, parameter in self._pool.parameters.items()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Propose the best of a pool of new candidates."""
        others = [each for each in study.get_trials(deepcopy=False) if each.number != trial.number and self._fits(each)]
        complete = [each for each in others if each.state is TrialState.COMPLETE]
        running = [each for each in others if each.state is TrialState.RUNNING]
        return dict(self.propose(trial.number, complete, running, others))

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Draw at random; only called for parameters that are not the study's own."""
        return self._independent.sample_independent(study, trial, param_name, param_distribution)

    @property
    def slowest_ms(self) -> float:
        """Latency above which a candidate adds no hypervolume: the limit, or the reference point's."""
        return self._acquisition.reference_latency

    def reseed_rng(self) -> None:
        """Draw other pools from now on."""
        self._random = np.random.default_rng()
        self._independent.reseed_rng()

    def _fits(self, trial: FrozenTrial) -> bool:
        return trial.params.keys() == self._pool.parameters.keys()

    def propose(
        self,
        number: int,
        complete: Sequence[FrozenTrial],
        running: Sequence[FrozenTrial],
        tried: Sequence[FrozenTrial],
    ) -> Point:
        """Propose the point of a trial.

        Args:
            number: The trial's number.
            complete: Complete trials.
            running: Running trials, whose accuracy is predicted.
            tried: All other trials, which are not proposed again.
        """
        points, pool = self.new_points(complete, tried)
        if pool is None or self._is_first(number, len(complete)):
            return points[self._first(points, pool, number)]
        self._longest = self._longest_line(complete)
        trained, pending, earlier = self._trained(complete), self._pending(running), self._earlier()
        if self._predictions.plan.inherits:
            pool = replace(pool, training=np.ones(len(points)))
        band = self._predictions.band
        self._acquisition.valued_at = self._screening.valued_at = None if band is None else band[1]
        best = self._acquisition.ranked(trained, pool, pending, self._rows(), earlier, count=self._screened)
        if band is not None:
            return points[self._least_loss(points, best)]
        first = 0 if len(best) == 1 or earlier is not None else self._screen(complete, running, points, pool, best)
        return points[best[first]]

    def _screen(
        self,
        complete: Sequence[FrozenTrial],
        running: Sequence[FrozenTrial],
        points: Sequence[Point],
        pool: Candidates,
        best: Sequence[int],
    ) -> int:
        """Return the place of the best among a few candidates once their untrained loss is measured.

        The model is fitted with one more column, the measured loss. It would be too expensive for the whole pool.
        """
        trained, pending = self._trained(complete), self._pending(running)
        learnt = [*(each.params for each in complete), *(each.params for each in self._known_beside_trials())]
        with_loss = replace(trained, candidates=self._with_loss(trained.candidates, learnt))
        waiting = None if pending is None else self._with_loss(pending, [each.params for each in running])
        few = self._with_loss(pool.at(best).fully_trained(), [points[place] for place in best])
        return self._screening.propose(with_loss, few, waiting, self._rows())

    def _with_loss(self, candidates: Candidates, points: Sequence[Point]) -> Candidates:
        """Return the candidates with their measured untrained loss as one more feature."""
        losses = np.array(self._predictions.untrained_losses(points))
        column = SENSITIVITY_WEIGHT * np.log1p(np.clip(losses, 0.0, WORST_LOSS)) / np.log1p(WORST_LOSS)
        return replace(candidates, features=np.column_stack([candidates.features, column]))

    @property
    def _screened(self) -> int:
        """Number of candidates whose loss is measured before one of them is proposed."""
        if self._predictions.measure_loss is None:
            return 1
        return SCREENED if self._predictions.band is None else SCREENED_IN_BAND

    def _known_beside_trials(self) -> list[KnownPoint]:
        return [*self._predictions.controls, *self._predictions.stopped_trials()]

    def _is_first(self, number: int, complete: int) -> bool:
        """Return whether a trial is one of the first, which are chosen without the accuracy model."""
        predictions = self._predictions
        trained = complete + predictions.copied
        enough = MIN_TRAINED if predictions.band is None else MIN_TRAINED_IN_BAND
        if not trained or trained + len(predictions.earlier) < enough:
            return True
        if predictions.copied or predictions.earlier or predictions.band is not None:  # bands descend by themselves
            return False
        descends = predictions.plan.inherits and predictions.sensitivity is not None
        return descends and number < predictions.starts + len(COARSE_TO_FINE)

    def _first(self, points: Sequence[Point], pool: Candidates | None, number: int) -> int:
        """Return the index of the point to train before the accuracy model has enough data.

        It is the cut with the least loss increase in this trial's latency sextile, or in the band that is searched; a
        random point without a sensitivity analysis. The uncut network is left out.

        Args:
            number: The trial's number. Workers that begin together do not see each other's trials yet.
        """
        loss_increase = self._predictions.loss_increases(points)
        if pool is None or loss_increase is None:
            return int(self._random.integers(len(points)))
        cut = np.where(loss_increase > 0.0, loss_increase, np.inf)
        if self._predictions.band is not None:
            return self._least_loss(points, np.argsort(cut, kind="stable"))
        spread = spread_by_latency(pool.latency, len(FIRST_LATENCY_PARTS), self._random, cut)
        if not self._predictions.plan.inherits:
            return spread[min(FIRST_LATENCY_PARTS[number % len(FIRST_LATENCY_PARTS)], len(spread) - 1)]
        parts = parts_by_latency(pool.latency, len(FIRST_LATENCY_PARTS), cut)
        place = COARSE_TO_FINE[(number - self._predictions.starts) % len(COARSE_TO_FINE)]
        return self._least_loss(points, parts[min(place, len(parts) - 1)])

    def _least_loss(self, points: Sequence[Point], order: Sequence[int] | NDArray[np.intp]) -> int:
        """Return the best of the first few of an order: their loss is measured, if the study measures it."""
        best = order[: self._screened]
        losses = self._predictions.untrained_losses([points[each] for each in best]) if len(best) > 1 else [0.0]
        return int(best[int(np.argmin(losses))])

    def _trained(self, complete: Sequence[FrozenTrial]) -> TrainedCandidates:
        """Return complete trials and controls, and stopped trials with their predicted accuracy."""
        others = self._known_beside_trials()
        points: list[Point] = [*(each.params for each in complete), *(each.params for each in others)]
        latency_ms = np.array([*(each.values[1] for each in complete), *(each.latency_ms for each in others)])
        accuracy = np.array([*(each.values[0] for each in complete), *(each.accuracy for each in others)])
        variance = np.array([*(0.0 for _ in complete), *(each.variance for each in others)])
        epochs = [*self._predictions.line_epochs([each.number for each in complete]), *(each.epochs for each in others)]
        features, expected = self._predictions.features(points), self._predictions.expected(points)
        candidates = Candidates(features, latency_ms, self._training(epochs), expected)
        return TrainedCandidates(candidates, accuracy, variance)

    def _longest_line(self, complete: Sequence[FrozenTrial]) -> int:
        """Return the epochs of the longest line of training so far: accuracy is predicted for as many."""
        predictions = self._predictions
        lines = predictions.line_epochs([each.number for each in complete])
        lines += [point.epochs for point in self._known_beside_trials()]
        return max([predictions.plan.recipe.epochs, *lines, *(training.epochs for training in predictions.earlier)])

    def _training(self, epochs: Sequence[int]) -> Values | None:
        """Return the training behind networks on a logarithmic scale, from 0 (none) to 1 (the longest line)."""
        if not self._predictions.plan.inherits:
            return None
        share: Values = np.log1p(np.array(epochs, dtype=np.float64)) / np.log1p(self._longest)
        return share

    def new_points(
        self, complete: Sequence[FrozenTrial], tried: Sequence[FrozenTrial]
    ) -> tuple[list[Point], Candidates | None]:
        """Return points of networks that were not tried, and their predictions.

        They are within the limit and the band of latency, if there are any, and cuts of the wider network that the band
        begins with, if such cuts are known.
        """
        wider = self._predictions.wider()
        widest = None if wider is None else wider.params
        even = [] if widest is None else self._pool.even_cuts(widest)
        known_good = [*even, *self._predictions.cheapest(), *self._predictions.hints]
        hints = [self._pool.completed(hint, self._random) for hint in known_good]
        good = self._near_band(self._pool.clipped([*self._front(complete), *hints], widest))
        points = self._pool.clipped([*hints, *self._pool.draw(self._size, good, self._random)], widest)
        predicted = self._predictions.predict(points)
        if predicted is None:
            return points, None
        known = self._predictions.keys(
            [*(each.params for each in tried), *(each.params for each in self._predictions.controls)]
        )
        first = {key: place for place, key in reversed(list(enumerate(predicted.keys)))}
        new = sorted(place for key, place in first.items() if key not in known) or [0]
        fast = allowed(new, predicted.latency_ms, self._predictions.limit_ms, self._predictions.band)
        fast = self._predictions.for_band(wider, points, fast) or fast
        chosen = [points[place] for place in fast]
        return chosen, Candidates(predicted.features, predicted.latency_ms, None, predicted.expected).at(fast)

    def _near_band(self, points: Sequence[Point]) -> Sequence[Point]:
        """Return the points whose predicted latency is near the band that is searched; all without a band."""
        band = self._predictions.band
        if band is None or not points or (predicted := self._predictions.predict(points)) is None:
            return points
        near = (band[0] / NEAR_BAND, band[1] * NEAR_BAND)
        return [points[place] for place in allowed(range(len(points)), predicted.latency_ms, None, near)]

    def _front(self, complete: Sequence[FrozenTrial]) -> list[Point]:
        """Return the points of the non-dominated trials and controls."""
        trials = [(each.params, each.values[1], each.values[0]) for each in complete]
        controls = [(each.params, each.latency_ms, each.accuracy) for each in self._predictions.controls]
        return non_dominated_points([*trials, *controls])

    def _pending(self, running: Sequence[FrozenTrial]) -> Candidates | None:
        return self._candidates([each.params for each in running])

    def _earlier(self) -> TrainedCandidates | None:
        """Return the trainings of other studies, at the latency predicted on this study's target."""
        earlier = self._predictions.earlier
        candidates = self._candidates([each.params for each in earlier])
        if candidates is None:
            return None
        candidates = replace(candidates, training=self._training([each.epochs for each in earlier]))
        return TrainedCandidates(candidates, np.array([each.accuracy for each in earlier]), np.zeros(len(earlier)))

    def _candidates(self, points: Sequence[Point]) -> Candidates | None:
        predicted = self._predictions.predict(points, often=True) if points else None
        if predicted is None:
            return None
        training = np.ones(len(points)) if self._predictions.plan.inherits else None
        return Candidates(predicted.features, predicted.latency_ms, training, predicted.expected)

    def _rows(self) -> tuple[Values, Values]:
        rows = np.array(self._predictions.rows, dtype=np.float64).reshape(-1, 2)
        return rows[:, 0], rows[:, 1]
