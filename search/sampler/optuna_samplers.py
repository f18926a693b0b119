"""Optuna's own samplers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from optuna.samplers import BaseSampler, TPESampler

from search.sampler.candidate_predictions import CandidatePredictions
from search.sampler.factory import SamplerFactory


@final
@dataclass(frozen=True)
class OptunaSampler(SamplerFactory):
    """A sampler that needs only a seed."""

    name: str
    of_seed: Callable[[int], BaseSampler]

    def make(self, seed: int, predictions: CandidatePredictions | None) -> BaseSampler:
        """See `SamplerFactory`."""
        return self.of_seed(seed)


def multivariate_tpe(seed: int) -> BaseSampler:
    """Return multivariate TPE: univariate TPE, Optuna's default for several objectives, needs twice as many trials."""
    return TPESampler(seed=seed, multivariate=True, constant_liar=True, n_startup_trials=8)
