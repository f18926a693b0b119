"""The samplers by name. A new one is one file and one line here, and its name in `search/study/choices.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

import numpy as np
from optuna.samplers import (
    BaseSampler,
    GPSampler,
    NSGAIIISampler,
    NSGAIISampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)

from search.sampler.candidate_predictions import CandidatePredictions
from search.sampler.factory import SamplerFactory
from search.sampler.first_trials import StartPoints
from search.sampler.front_sampler import FrontSampler
from search.sampler.optuna_samplers import OptunaSampler, multivariate_tpe
from spaces.base import ParamValue


@final
class FrontSamplerFactory(SamplerFactory):
    """Makes `FrontSampler`; TPE in a study whose objectives are not an accuracy and then latency."""

    name = "front"
    uses_predictions = True
    never_repeats = True

    def make(self, seed: int, predictions: CandidatePredictions | None) -> BaseSampler:
        """See `SamplerFactory`."""
        return multivariate_tpe(seed) if predictions is None else FrontSampler(predictions, seed)

    def note(self, predictions: CandidatePredictions | None) -> str:
        """See `SamplerFactory`."""
        if predictions is not None:
            return ""
        return "sampler 'tpe' proposes: 'front' needs two objectives, an accuracy and then latency_ms"


FACTORIES: Mapping[str, SamplerFactory] = {
    factory.name: factory
    for factory in (
        FrontSamplerFactory(),
        OptunaSampler("tpe", multivariate_tpe),
        OptunaSampler("optuna", lambda seed: TPESampler(seed=seed)),
        OptunaSampler("nsga2", lambda seed: NSGAIISampler(seed=seed)),
        OptunaSampler("nsga3", lambda seed: NSGAIIISampler(seed=seed)),
        OptunaSampler("gp", lambda seed: GPSampler(seed=seed)),
        OptunaSampler("qmc", lambda seed: QMCSampler(seed=seed, scramble=True)),
        OptunaSampler("random", lambda seed: RandomSampler(seed=seed)),
    )
}


def sampler_named(name: str) -> SamplerFactory:
    """Return the factory of a sampler.

    Raises:
        ValueError: If there is none of that name.
    """
    if name not in FACTORIES:
        raise ValueError(f"sampler '{name}' is unknown; there are {', '.join(FACTORIES)}")
    return FACTORIES[name]


def make_sampler(
    name: str,
    seed: int,
    starts: Sequence[Mapping[str, ParamValue]] = (),
    predictions: CandidatePredictions | None = None,
) -> BaseSampler:
    """Return a new sampler that proposes the start points first.

    Args:
        predictions: See `SamplerFactory.make`.

    Raises:
        ValueError: If there is no sampler of that name.
    """
    made = sampler_named(name).make(seed, predictions)
    return StartPoints(made, starts) if starts else made


def sampler_seed(seed: int, worker: int, records_so_far: int) -> int:
    """Return the seed of worker k: seed + k while nothing is recorded, another seed for each number of records.

    With the first seed a continued study would propose its first points again.
    """
    if not records_so_far:
        return seed + worker
    return int(np.random.SeedSequence([seed, worker, records_so_far]).generate_state(1)[0])
