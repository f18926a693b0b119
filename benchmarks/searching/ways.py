"""Ways to search a table, ours and others': each gives the order in which detectors are trained."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler

from benchmarks.searching.problems import Problem
from search.sampler.acquisition import Candidates, FrontAcquisition, TrainedCandidates, spread_by_latency
from search.sampler.front_sampler import FIRST_LATENCY_PARTS, MIN_TRAINED

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)

Way = Callable[[Problem, int, int], list[int]]
"""From a problem, a seed and a number of trainings to the detectors in the order they are trained."""

ASKED_IN_VAIN = 20
"""A sampler that names nothing new so often in a row is told of a detector drawn at random: it would ask for ever."""
SLOW_ASKED_IN_VAIN = 3
"""The same for a sampler that thinks for seconds each time; it would take hours to train fifty."""
REAL_ABOVE = 20
"""Such a sampler is given numbers of more values as real ones, to be rounded: whole ones take it a minute each time."""


def ours(problem: Problem, seed: int, trainings: int) -> list[int]:
    """The project's own: latency known, accuracy modelled."""
    chosen = first_trainings(problem, np.random.default_rng(seed))[:MIN_TRAINED]
    search = FrontAcquisition(*problem.worst)
    left = np.setdiff1d(np.arange(len(problem.latency)), chosen)
    while len(chosen) < trainings:
        seen = _candidates(problem, np.array(chosen))
        trained = TrainedCandidates(seen, problem.accuracy[chosen], np.zeros(len(chosen)))
        chosen.append(int(left[search.propose(trained, _candidates(problem, left))]))
        left = left[left != chosen[-1]]
    return chosen[:trainings]


def first_trainings(problem: Problem, random: np.random.Generator) -> list[int]:
    """What the project's sampler begins with, in this order, while too few are trained to be modelled."""
    spread = spread_by_latency(problem.latency, len(FIRST_LATENCY_PARTS), random, problem.predicted_loss_increase)
    return [spread[part] for part in FIRST_LATENCY_PARTS if part < len(spread)]


def _candidates(problem: Problem, chosen: np.ndarray) -> Candidates:
    return Candidates(problem.features[chosen], problem.latency[chosen])


def at_random(problem: Problem, seed: int, trainings: int) -> list[int]:
    """Without a plan."""
    return np.random.default_rng(seed).permutation(len(problem.latency))[:trainings].tolist()


def uniform_scaling(problem: Problem, seed: int, trainings: int) -> list[int]:
    """What people do without a search, in any order."""
    return [int(index) for index in np.random.default_rng(seed).permutation(problem.plain)][:trainings]


def by_optuna(make: Callable[[int], BaseSampler], *, slow: bool = False) -> Way:
    """One of Optuna's samplers, with both objectives; what is no new training is told and not counted."""
    most_in_vain = SLOW_ASKED_IN_VAIN if slow else ASKED_IN_VAIN

    def way(problem: Problem, seed: int, trainings: int) -> list[int]:
        study = optuna.create_study(directions=["maximize", "minimize"], sampler=make(seed))
        distributions, random = (
            distributions_by_rank(problem, REAL_ABOVE if slow else np.inf),
            np.random.default_rng(seed),
        )
        chosen: list[int] = []
        in_vain = 0
        while len(chosen) < min(trainings, len(problem.latency)):
            trial = study.ask(distributions)
            index = problem.nearest(
                {name: values[round(trial.params[name])] for name, values in problem.choices.items()}
            )
            study.tell(trial, [problem.accuracy[index], problem.latency[index]])
            if index in chosen:
                in_vain += 1
                if in_vain < most_in_vain:
                    continue
                index = int(random.choice(np.setdiff1d(np.arange(len(problem.latency)), chosen)))
                study.add_trial(_told(problem, index, distributions))
            in_vain = 0
            chosen.append(index)
        return chosen

    return way


def _told(problem: Problem, index: int, distributions: dict[str, BaseDistribution]) -> optuna.trial.FrozenTrial:
    """A detector that the sampler did not ask for."""
    params = {name: problem.choices[name].index(value) for name, value in problem.params[index].items()}
    values = [float(problem.accuracy[index]), float(problem.latency[index])]
    return optuna.trial.create_trial(params=params, distributions=distributions, values=values)


def distributions_by_rank(problem: Problem, real_above: float) -> dict[str, BaseDistribution]:
    """Numbers by their rank, so that neighbours are one step apart.

    Args:
        real_above: Numbers of more values than that are real ones.
    """
    return {name: _distribution(values, real_above) for name, values in problem.choices.items()}


def _distribution(values: Sequence[Any], real_above: float) -> BaseDistribution:
    if isinstance(values[0], str):
        return CategoricalDistribution(list(range(len(values))))
    highest = len(values) - 1
    return FloatDistribution(0, highest) if len(values) > real_above else IntDistribution(0, highest)


WAYS: Mapping[str, Way] = {
    "ours": ours,
    "random": at_random,
    "NSGA-II": by_optuna(lambda seed: optuna.samplers.NSGAIISampler(seed=seed)),
    "Optuna's default": by_optuna(lambda seed: optuna.samplers.TPESampler(seed=seed)),
    "multivariate TPE": by_optuna(lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=True)),
    "GP": by_optuna(lambda seed: optuna.samplers.GPSampler(seed=seed), slow=True),
    "uniform scaling": uniform_scaling,
}
