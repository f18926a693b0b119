"""Which sampler proposes, ours or one of Optuna's, from which seed, and the points it begins with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from search.sampler.candidate_predictions import CandidatePredictions
from search.sampler.front_sampler import FrontSampler
from spaces.base import ParamValue

SAMPLERS = ("front", "tpe", "optuna", "nsga2", "nsga3", "gp", "qmc", "random")


def sampler_seed(seed: int, worker: int, records_so_far: int) -> int:
    """The seed of worker k: seed + k while nothing is recorded; another one with each number of records.

    With the first seed again a continued study would propose its first points again.
    """
    if not records_so_far:
        return seed + worker
    return int(np.random.SeedSequence([seed, worker, records_so_far]).generate_state(1)[0])


def make_sampler(
    name: str,
    seed: int,
    starts: Sequence[Mapping[str, ParamValue]] = (),
    predictions: CandidatePredictions | None = None,
) -> BaseSampler:
    """A sampler by name; the first trials take the given start points.

    Args:
        predictions: What `front` needs. Without it, in a study of other objectives, `front` is `tpe`.

    Raises:
        ValueError: If the name is not one of `SAMPLERS`.
    """
    samplers = optuna.samplers
    if name == "front" and predictions is not None:
        chosen: BaseSampler = FrontSampler(predictions, seed)
    elif name in ("front", "tpe"):
        # Multivariate: univariate TPE, Optuna's default for several objectives, needs about twice the trials.
        chosen = samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True, n_startup_trials=8)
    elif name == "optuna":  # what Optuna takes for several objectives if it is not told: univariate TPE
        chosen = samplers.TPESampler(seed=seed)
    elif name == "nsga2":
        chosen = samplers.NSGAIISampler(seed=seed)
    elif name == "nsga3":
        chosen = samplers.NSGAIIISampler(seed=seed)
    elif name == "gp":
        chosen = samplers.GPSampler(seed=seed)
    elif name == "qmc":
        chosen = samplers.QMCSampler(seed=seed, scramble=True)
    elif name == "random":
        chosen = samplers.RandomSampler(seed=seed)
    else:
        raise ValueError(f"sampler '{name}' is unknown; there are {', '.join(SAMPLERS)}")
    return StartPoints(chosen, starts) if starts else chosen


class StartPoints(BaseSampler):
    """Proposes fixed points for the first trial numbers, then leaves it to another sampler.

    Optuna's queue (`enqueue_trial`) would do, but a process killed while filling it leaves it half full.
    """

    def __init__(self, sampler: BaseSampler, points: Sequence[Mapping[str, ParamValue]]) -> None:
        self._sampler = sampler
        self._points = tuple(points)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Nothing is sampled jointly while start points last."""
        if trial.number < len(self._points):
            return {}
        return self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The inner sampler's joint proposal."""
        if trial.number < len(self._points):
            return {}
        return self._sampler.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The start point's value, where it names this parameter."""
        if trial.number < len(self._points) and param_name in self._points[trial.number]:
            return self._points[trial.number][param_name]
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Tell the inner sampler."""
        self._sampler.before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Tell the inner sampler."""
        self._sampler.after_trial(study, trial, state, values)

    def reseed_rng(self) -> None:
        """Reseed the inner sampler."""
        self._sampler.reseed_rng()
