"""The project's own sampler, behind Optuna's interface: latency is known beforehand, only accuracy is modelled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from search.record.staircase import Staircase
from search.sampler.acquisition import Candidates, FrontSearch, Trained, spread_by_latency
from search.sampler.advisor import distribution_of
from search.sampler.candidate_pool import Point, PointPool
from search.sampler.candidate_predictions import Foresight

POOL = 400
LEAST_TRAINED = 3
"""Trials that must be complete, here or in earlier studies, before accuracy is modelled."""
FIRST_PARTS = (2, 4, 1, 3, 5, 0)
"""Equal parts of the pool, the fastest is 0, that these trials are drawn from in turn: its ends tell the least."""


class FrontSampler(BaseSampler):
    """Asks for the candidate that is expected to add most to the hypervolume of accuracy and latency.

    Needs both objectives in this order: accuracy, to be maximized, and latency in ms, to be minimized. Trials that run
    count as if they reached what is expected of them, so that parallel workers ask for different ones.

    Args:
        foresight: What is known of a study's candidates before any is built.
        seed: Of the pools.
        size: Candidates in a pool.
    """

    def __init__(self, foresight: Foresight, seed: int, size: int = POOL) -> None:
        self._foresight, self._size = foresight, size
        self._pool = PointPool(foresight.plan.parameters)
        self._random = np.random.default_rng(seed)
        self._independent = RandomSampler(seed=seed)
        worst_ms, worst_accuracy = foresight.worst
        if foresight.limit_ms is not None:
            worst_ms = min(
                worst_ms, foresight.limit_ms * 1.001
            )  # nobody may use what is slower; the limit itself counts
        self._search = FrontSearch(worst_ms, worst_accuracy)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Everything is proposed together."""
        return {name: distribution_of(parameter) for name, parameter in self._pool.parameters.items()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The best of a pool of new candidates."""
        others = [each for each in study.get_trials(deepcopy=False) if each.number != trial.number and self._fits(each)]
        complete = [each for each in others if each.state is TrialState.COMPLETE]
        running = [each for each in others if each.state is TrialState.RUNNING]
        return dict(self._proposed(trial.number, complete, running, others))

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """At random: asked for only where somebody else's parameters are searched too."""
        return self._independent.sample_independent(study, trial, param_name, param_distribution)

    def reseed_rng(self) -> None:
        """Draw other pools from now on."""
        self._random = np.random.default_rng()
        self._independent.reseed_rng()

    def _fits(self, trial: FrozenTrial) -> bool:
        return trial.params.keys() == self._pool.parameters.keys()

    def _proposed(
        self,
        number: int,
        complete: Sequence[FrozenTrial],
        running: Sequence[FrozenTrial],
        tried: Sequence[FrozenTrial],
    ) -> Point:
        points, pool = self._new_points(complete, tried)
        known = len(complete) + len(self._foresight.earlier)
        if pool is None or not complete or known < LEAST_TRAINED:
            return points[self._first(points, pool, number)]
        trained, pending, earlier = self._trained(complete), self._pending(running), self._earlier()
        return points[self._search.propose(trained, pool, pending, self._rows(), earlier)]

    def _first(self, points: Sequence[Point], pool: Candidates | None, number: int) -> int:
        """Which to train while too few are known: any, or one that little is cut of for its latency, but something.

        Args:
            number: The trial's. Several workers begin at once, and see nothing of each other yet.
        """
        damage = self._foresight.damages(points)
        if pool is None or damage is None:
            return int(self._random.integers(len(points)))
        cut = np.where(damage > 0.0, damage, np.inf)
        spread = spread_by_latency(pool.latency, len(FIRST_PARTS), self._random, cut)
        return spread[min(FIRST_PARTS[number % len(FIRST_PARTS)], len(spread) - 1)]

    def _trained(self, complete: Sequence[FrozenTrial]) -> Trained:
        """What complete trials and controls reached, and what stopped ones would have."""
        others = [*self._foresight.controls, *self._foresight.half_known()]
        points: list[Point] = [*(each.params for each in complete), *(each.params for each in others)]
        latency_ms = np.array([*(each.values[1] for each in complete), *(each.latency_ms for each in others)])
        accuracy = np.array([*(each.values[0] for each in complete), *(each.accuracy for each in others)])
        variance = np.array([*(0.0 for _ in complete), *(each.variance for each in others)])
        return Trained(Candidates(self._foresight.features(points), latency_ms), accuracy, variance)

    def _new_points(
        self, complete: Sequence[FrozenTrial], tried: Sequence[FrozenTrial]
    ) -> tuple[list[Point], Candidates | None]:
        """Points of networks that nobody has tried, within the limit where that is to be had, and what is foreseen."""
        hints = [self._pool.completed(hint, self._random) for hint in self._foresight.hints]
        points = [*hints, *self._pool.draw(self._size, [*self._front(complete), *hints], self._random)]
        outlook = self._foresight.look(points)
        if outlook is None:
            return points, None
        known = self._foresight.keys(
            [*(each.params for each in tried), *(each.params for each in self._foresight.controls)]
        )
        first = {key: place for place, key in reversed(list(enumerate(outlook.keys)))}
        new = sorted(place for key, place in first.items() if key not in known) or [0]
        limit = self._foresight.limit_ms
        fast = [place for place in new if limit is None or outlook.latency_ms[place] <= limit]
        fast = fast or [min(new, key=lambda place: float(outlook.latency_ms[place]))]
        chosen = [points[place] for place in fast]
        return chosen, Candidates(outlook.features[fast], outlook.latency_ms[fast])

    def _front(self, complete: Sequence[FrozenTrial]) -> list[Point]:
        """Parameters of the trials and controls that no other one beats."""
        known: list[tuple[Point, float, float]] = [(each.params, each.values[1], each.values[0]) for each in complete]
        known += [(each.params, each.latency_ms, each.accuracy) for each in self._foresight.controls]
        if not known:
            return []
        latency, accuracy = (np.array([each[place] for each in known]) for place in (1, 2))
        best = Staircase.of(latency, accuracy, np.inf, -np.inf)
        members = set(zip(best.latency.tolist(), best.accuracy.tolist(), strict=True))
        return [params for params, ms, reached in known if (ms, reached) in members]

    def _pending(self, running: Sequence[FrozenTrial]) -> Candidates | None:
        return self._foreseen([each.params for each in running])

    def _earlier(self) -> Trained | None:
        """What other studies trained, at the latency that is foreseen here."""
        earlier = self._foresight.earlier
        candidates = self._foreseen([each.params for each in earlier])
        if candidates is None:
            return None
        return Trained(candidates, np.array([each.accuracy for each in earlier]), np.zeros(len(earlier)))

    def _foreseen(self, points: Sequence[Point]) -> Candidates | None:
        outlook = self._foresight.look(points, often=True) if points else None
        return None if outlook is None else Candidates(outlook.features, outlook.latency_ms)

    def _rows(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        latency, accuracy = np.array(self._foresight.rows, dtype=np.float64).reshape(-1, 2).T
        return latency, accuracy
