"""The sampler of the first trials: fixed start points, then another sampler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from search.sampler.wrapped import WrappedSampler
from spaces.base import ParamValue


class StartPoints(WrappedSampler):
    """Proposes fixed points for the first trial numbers; another sampler proposes the others.

    Optuna's queue (`enqueue_trial`) would do the same, but a process that is killed while it fills the queue leaves it
    half full.
    """

    def __init__(self, sampler: BaseSampler, points: Sequence[Mapping[str, ParamValue]]) -> None:
        super().__init__(sampler)
        self._points = tuple(points)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return the inner sampler's joint space; an empty one for start points."""
        if trial.number < len(self._points):
            return {}
        return self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the inner sampler's joint proposal; nothing for start points."""
        if trial.number < len(self._points):
            return {}
        return self._sampler.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return the start point's value; the inner sampler's, if the start point lacks this parameter."""
        if trial.number < len(self._points) and param_name in self._points[trial.number]:
            return self._points[trial.number][param_name]
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)
