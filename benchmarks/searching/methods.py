"""Methods to search a table, ours and others': each returns the order in which detectors are trained."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler

from benchmarks.searching.problems import TableProblem
from search.sampler.acquisition import Candidates, FrontAcquisition, TrainedCandidates, spread_by_latency
from search.sampler.front_sampler import FIRST_LATENCY_PARTS, MIN_TRAINED

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)

SearchMethod = Callable[[TableProblem, int, int], list[int]]
"""From a problem, a seed and a number of trainings to the detectors in the order of their training."""

OURS = "ours"
OPTUNA_DEFAULT = "Optuna's default"
GAUSSIAN_PROCESS = "GP"
MULTIVARIATE_TPE = "multivariate TPE"

MAX_REPEATED = 20
"""Suggestions in a row of already trained detectors, after which a sampler is given a random one instead.

Without this limit a sampler could repeat the same suggestion forever.
"""
SLOW_MAX_REPEATED = 3
"""The same for a sampler that takes seconds for each suggestion: with 20 it would take hours to train fifty."""
MAX_INTEGER_VALUES = 20
"""Maximum number of values that such a sampler gets as integers; longer ranges are real numbers and are rounded.

A suggestion over long integer ranges takes it a minute.
"""


def search_by_ours(problem: TableProblem, seed: int, trainings: int) -> list[int]:
    """Search as the project's own sampler does: latency is known, accuracy is modelled."""
    chosen = first_trainings(problem, np.random.default_rng(seed))[:MIN_TRAINED]
    acquisition = FrontAcquisition(*problem.worst)
    left = np.setdiff1d(np.arange(len(problem.latency)), chosen)
    while len(chosen) < trainings:
        features = _candidates(problem, np.array(chosen))
        trained = TrainedCandidates(features, problem.accuracy[chosen], np.zeros(len(chosen)))
        chosen.append(int(left[acquisition.propose(trained, _candidates(problem, left))]))
        left = left[left != chosen[-1]]
    return chosen[:trainings]


def first_trainings(problem: TableProblem, random: np.random.Generator) -> list[int]:
    """Return the first detectors of the project's sampler, in order: they are trained before accuracy is modelled."""
    loss = problem.predicted_loss_increase if problem.expected is None else -problem.expected
    spread = spread_by_latency(problem.latency, len(FIRST_LATENCY_PARTS), random, loss)
    return [spread[part] for part in FIRST_LATENCY_PARTS if part < len(spread)]


def _candidates(problem: TableProblem, chosen: np.ndarray) -> Candidates:
    return Candidates(problem.features, problem.latency, None, problem.expected).at(chosen)


def search_at_random(problem: TableProblem, seed: int, trainings: int) -> list[int]:
    """Search in random order."""
    return [int(index) for index in np.random.default_rng(seed).permutation(len(problem.latency))[:trainings]]


def scale_uniformly(problem: TableProblem, seed: int, trainings: int) -> list[int]:
    """Train the networks that people train without a search, in random order."""
    return [int(index) for index in np.random.default_rng(seed).permutation(problem.uniformly_scaled)][:trainings]


def optuna_method(make: Callable[[int], BaseSampler], *, slow: bool = False) -> SearchMethod:
    """Return a search by one of Optuna's samplers, with both objectives.

    A suggestion of an already trained detector is answered and not counted as a training.

    Args:
        make: Makes the sampler from a seed.
        slow: True for a sampler that takes seconds for each suggestion.
    """
    max_repeated = SLOW_MAX_REPEATED if slow else MAX_REPEATED

    def search(problem: TableProblem, seed: int, trainings: int) -> list[int]:
        study = optuna.create_study(directions=["maximize", "minimize"], sampler=make(seed))
        distributions = distributions_by_rank(problem, MAX_INTEGER_VALUES if slow else np.inf)
        random = np.random.default_rng(seed)
        chosen: list[int] = []
        repeated = 0
        while len(chosen) < min(trainings, len(problem.latency)):
            trial = study.ask(distributions)
            index = problem.nearest(
                {name: values[round(trial.params[name])] for name, values in problem.choices.items()}
            )
            study.tell(trial, [problem.accuracy[index], problem.latency[index]])
            if index in chosen:
                repeated += 1
                if repeated < max_repeated:
                    continue
                index = int(random.choice(np.setdiff1d(np.arange(len(problem.latency)), chosen)))
                study.add_trial(_finished_trial(problem, index, distributions))
            repeated = 0
            chosen.append(index)
        return chosen

    return search


def _finished_trial(
    problem: TableProblem, index: int, distributions: dict[str, BaseDistribution]
) -> optuna.trial.FrozenTrial:
    """Return the trial of a detector that the sampler did not suggest."""
    params = {name: problem.choices[name].index(value) for name, value in problem.params[index].items()}
    values = [float(problem.accuracy[index]), float(problem.latency[index])]
    return optuna.trial.create_trial(params=params, distributions=distributions, values=values)


def distributions_by_rank(problem: TableProblem, max_integer_values: float) -> dict[str, BaseDistribution]:
    """Return Optuna's distribution of each parameter; numbers are given by rank, so that neighbours are one step apart.

    Args:
        max_integer_values: Parameters with more values become real numbers.
    """
    return {name: _distribution(values, max_integer_values) for name, values in problem.choices.items()}


def _distribution(values: Sequence[Any], max_integer_values: float) -> BaseDistribution:
    if isinstance(values[0], str):
        return CategoricalDistribution(list(range(len(values))))
    highest = len(values) - 1
    return FloatDistribution(0, highest) if len(values) > max_integer_values else IntDistribution(0, highest)


SEARCH_METHODS: Mapping[str, SearchMethod] = {
    OURS: search_by_ours,
    "random": search_at_random,
    "NSGA-II": optuna_method(lambda seed: optuna.samplers.NSGAIISampler(seed=seed)),
    OPTUNA_DEFAULT: optuna_method(lambda seed: optuna.samplers.TPESampler(seed=seed)),
    MULTIVARIATE_TPE: optuna_method(lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=True)),
    GAUSSIAN_PROCESS: optuna_method(lambda seed: optuna.samplers.GPSampler(seed=seed), slow=True),
    "uniform scaling": scale_uniformly,
}
