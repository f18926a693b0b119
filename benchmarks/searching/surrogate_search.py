"""Searches of the surrogate by our sampler and by Optuna's, and their regret."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import optuna
from optuna.samplers import BaseSampler

from benchmarks.searching.digits_table import VariantProblem
from benchmarks.searching.methods import GAUSSIAN_PROCESS, MULTIVARIATE_TPE, OPTUNA_DEFAULT, OURS
from benchmarks.searching.surrogate import Surrogate, cross_validated_tau
from benchmarks.setup.markdown import markdown_table
from benchmarks.setup.one_thread import use_one_thread
from search.record.staircase import Staircase
from search.sampler.acquisition import Candidates, FrontAcquisition, TrainedCandidates, spread_by_latency
from search.sampler.candidate_pool import CandidatePool, Point
from search.sampler.front_sampler import FIRST_LATENCY_PARTS, MIN_TRAINED
from search.sampler.optuna_study import distribution_of

SURROGATE_SEEDS, SURROGATE_TRAININGS = 5, 50
POOL_SIZE = 400
LATENCY_ERROR = 0.03
"""Relative error of our latency prediction: that of a predictor after 16 measurements."""

SurrogateMethod = Callable[[Surrogate, int], list[Point]]
"""From a surrogate and a seed to the points in the order of their training."""


def search_surrogate_by_ours(surrogate: Surrogate, seed: int) -> list[Point]:
    """Search as the project's own sampler does: latency is predicted, accuracy is modelled."""
    random = np.random.default_rng(seed)
    pool = CandidatePool(surrogate.problem.parameters)
    acquisition = FrontAcquisition(*surrogate.problem.worst)
    first = pool.draw(POOL_SIZE, [], random)
    spread = spread_by_latency(surrogate.predict(first)[0], len(FIRST_LATENCY_PARTS), random)
    chosen = [first[spread[part]] for part in FIRST_LATENCY_PARTS[:MIN_TRAINED]]
    accuracy = [surrogate.train(point, random) for point in chosen]
    while len(chosen) < SURROGATE_TRAININGS:
        latency = surrogate.predict(chosen)[0]
        best = Staircase.of(latency, np.array(accuracy), np.inf, -np.inf)
        members = set(best.accuracy.tolist())
        good = [point for point, reached in zip(chosen, accuracy, strict=True) if reached in members]
        points = pool.draw(POOL_SIZE, good, random)
        predicted = surrogate.predict(points)[0] * np.exp(LATENCY_ERROR * random.standard_normal(len(points)))
        trained = TrainedCandidates(
            Candidates(pool.features(chosen), latency), np.array(accuracy), np.zeros(len(chosen))
        )
        chosen.append(points[acquisition.propose(trained, Candidates(pool.features(points), predicted))])
        accuracy.append(surrogate.train(chosen[-1], random))
    return chosen


def optuna_on_surrogate(make: Callable[[int], BaseSampler]) -> SurrogateMethod:
    """Return a search by one of Optuna's samplers, with both objectives."""

    def search(surrogate: Surrogate, seed: int) -> list[Point]:
        random = np.random.default_rng(seed)
        study = optuna.create_study(directions=["maximize", "minimize"], sampler=make(seed))
        space = {name: distribution_of(each) for name, each in surrogate.problem.parameters.items()}
        for _ in range(SURROGATE_TRAININGS):
            trial = study.ask(space)
            latency = float(surrogate.predict([trial.params])[0][0])
            study.tell(trial, [surrogate.train(trial.params, random), latency])
        return [trial.params for trial in study.trials]

    return search


SURROGATE_METHODS: Mapping[str, SurrogateMethod] = {
    OURS: search_surrogate_by_ours,
    "random": optuna_on_surrogate(lambda seed: optuna.samplers.RandomSampler(seed=seed)),
    "NSGA-II": optuna_on_surrogate(lambda seed: optuna.samplers.NSGAIISampler(seed=seed, population_size=10)),
    OPTUNA_DEFAULT: optuna_on_surrogate(lambda seed: optuna.samplers.TPESampler(seed=seed)),
    MULTIVARIATE_TPE: optuna_on_surrogate(lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=True)),
    GAUSSIAN_PROCESS: optuna_on_surrogate(lambda seed: optuna.samplers.GPSampler(seed=seed)),
}


def silence_optuna() -> None:
    """Limit this process to one thread, and let Optuna log errors only."""
    use_one_thread()
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def run_surrogate_search(problem: VariantProblem, method: str, seed: int) -> dict[str, float]:
    """Search the surrogate of a problem; return the hypervolume at the end."""
    surrogate = Surrogate.of(problem)
    return {"volume": surrogate.hypervolume(SURROGATE_METHODS[method](surrogate, seed))}


def surrogate_figures(
    problems: Mapping[str, VariantProblem], volumes: Mapping[tuple[str, str, int], float]
) -> dict[str, Any]:
    """Return by problem the regret of each method, and how well the models rank.

    Args:
        volumes: Hypervolumes by problem, method and seed.
    """
    methods = [name for name in SURROGATE_METHODS if any(method == name for _, method, _ in volumes)]
    figures: dict[str, Any] = {}
    for name, problem in problems.items():
        best = Surrogate.of(problem).best_hypervolume
        regrets = {
            method: [1 - volume / best for (p, m, _), volume in volumes.items() if (p, m) == (name, method)]
            for method in methods
        }
        figures[name] = {"tau": cross_validated_tau(problem), "noise": problem.noise, "regret": regrets}
    return figures


def surrogate_table(figures: Mapping[str, Any]) -> str:
    """Return the table of median regret by method, and the rank correlation of the models."""
    methods = list(dict.fromkeys(method for each in figures.values() for method in each["regret"]))
    rows = [
        [method, *(f"{100 * np.median(each['regret'][method]):.1f} %" for each in figures.values())]
        for method in methods
    ]
    taus = ["Kendall tau of the models, cross-validated: accuracy, latency"]
    taus += [f"{each['tau'][0]:.3f}, {each['tau'][1]:.3f}" for each in figures.values()]
    return markdown_table([f"hypervolume regret after {SURROGATE_TRAININGS} trainings", *figures], [*rows, taus])
