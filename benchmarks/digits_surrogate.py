"""The space that the table of variants was drawn from, continuous again: any point's accuracy and latency, by models.

    python -m benchmarks.digits_surrogate --out runs/search

Fitted to the table, judged on variants that were held out, then searched: samplers ask for any point they like, which
a table does not allow. Trees, not the Gaussian process that our sampler itself models with, so that it has no head
start; each training is disturbed as much as trainings with other seeds differ; our sampler's foresight of latency is
off by as much as a prediction from 16 measurements is.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.samplers import BaseSampler
from scipy.stats import kendalltau
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold

from benchmarks.searching.digits_table import TABLE, Variants, digits_problems
from benchmarks.setup.markdown import markdown_table
from benchmarks.setup.one_thread import use_one_thread
from benchmarks.setup.results import ResultsFile
from search.record.staircase import Staircase
from search.sampler.acquisition import Candidates, FrontAcquisition, TrainedCandidates, spread_by_latency
from search.sampler.candidate_pool import CandidatePool, Point
from search.sampler.front_sampler import FIRST_LATENCY_PARTS, MIN_TRAINED
from search.sampler.optuna_study import distribution_of

Values = NDArray[np.float64]

SEEDS, TRAININGS = 5, 50
POOL_SIZE = 400
FORESIGHT_ERROR = 0.03
FOLDS = 5
EFFORT = 40  # rounds of the long search that finds what can be had at all


@dataclass(frozen=True)
class Fitted:
    """A linear model and trees on what it leaves: trees alone know no trend between the points that they saw."""

    linear: RidgeCV
    trees: ExtraTreesRegressor

    @staticmethod
    def to(features: Values, wanted: Values) -> Fitted:
        """Fit both."""
        linear = RidgeCV(np.logspace(-3, 3, 13)).fit(features, wanted)
        trees = ExtraTreesRegressor(150, min_samples_leaf=2, max_features=0.5, random_state=0)
        return Fitted(linear, trees.fit(features, wanted - linear.predict(features)))

    def predict(self, features: Values) -> Values:
        """(M,)."""
        found: Values = self.linear.predict(features) + self.trees.predict(features)
        return found


@dataclass(frozen=True)
class Surrogate:
    """Any point's accuracy and latency."""

    problem: Variants
    _accuracy: Fitted
    _log_latency: Fitted

    @staticmethod
    def of(problem: Variants) -> Surrogate:
        """Fitted to all variants of the problem: to the half of the table that searches are scored on."""
        seen = described(problem.asked, len(problem.choices))
        return Surrogate(problem, Fitted.to(seen, problem.accuracy), Fitted.to(seen, np.log(problem.latency)))

    def look(self, points: Sequence[Point]) -> tuple[Values, Values]:
        """Latency and accuracy, (M,) each."""
        seen = described(CandidatePool(self.problem.parameters).features(points), len(self.problem.choices))
        return np.exp(self._log_latency.predict(seen)), self._accuracy.predict(seen)

    @cached_property
    def best_volume(self) -> float:
        """Of a long search by evolution, with everything known."""
        pool, random = CandidatePool(self.problem.parameters), np.random.default_rng(0)
        points: list[Point] = pool.draw(4000, [], random)
        for _ in range(EFFORT):
            latency, accuracy = self.look(points)
            order = np.argsort(latency)
            best = np.maximum.accumulate(accuracy[order])
            members = [points[order[i]] for i in range(len(order)) if i == 0 or accuracy[order[i]] > best[i - 1]]
            points = [*members, *pool.draw(1000, members, random)]
        return self.volume(points)

    def volume(self, points: Sequence[Point]) -> float:
        """Hypervolume of log latency and accuracy, noise left out."""
        latency, accuracy = self.look(points)
        slowest, least = self.problem.worst
        return Staircase.of(np.log(latency), accuracy, float(np.log(slowest)), least).hypervolume


def described(features: Values, columns: int) -> Values:
    """With means over neighbouring groups, of which many small ratios say less than one."""
    ratios = features[:, features.shape[1] - (columns - 2) :]
    parts = [part.mean(axis=1) for part in np.array_split(ratios, 6, axis=1)]
    return np.column_stack([features, *parts, ratios.mean(axis=1), np.log(ratios + 0.1).mean(axis=1)])


def held_out(problem: Variants) -> tuple[float, float]:
    """Kendall's tau of accuracy, and of latency, of variants that the models were not fitted to."""
    seen = described(problem.asked, len(problem.choices))
    taus = []
    for wanted in (problem.accuracy, np.log(problem.latency)):
        told = np.empty(len(wanted))
        for fit, rest in KFold(FOLDS, shuffle=True, random_state=0).split(seen):
            told[rest] = Fitted.to(seen[fit], wanted[fit]).predict(seen[rest])
        taus.append(float(kendalltau(told, wanted).statistic))
    return taus[0], taus[1]


def ours(surrogate: Surrogate, seed: int) -> list[Point]:
    """The project's own: latency foreseen, accuracy modelled."""
    random = np.random.default_rng(seed)
    pool = CandidatePool(surrogate.problem.parameters)
    search = FrontAcquisition(*surrogate.problem.worst)
    first = pool.draw(POOL_SIZE, [], random)
    spread = spread_by_latency(surrogate.look(first)[0], len(FIRST_LATENCY_PARTS), random)
    chosen = [first[spread[part]] for part in FIRST_LATENCY_PARTS[:MIN_TRAINED]]
    accuracy = [_trained(surrogate, point, random) for point in chosen]
    while len(chosen) < TRAININGS:
        latency = surrogate.look(chosen)[0]
        best = Staircase.of(latency, np.array(accuracy), np.inf, -np.inf)
        members = set(best.accuracy.tolist())
        good = [point for point, reached in zip(chosen, accuracy, strict=True) if reached in members]
        points = pool.draw(POOL_SIZE, good, random)
        foreseen = surrogate.look(points)[0] * np.exp(FORESIGHT_ERROR * random.standard_normal(len(points)))
        trained = TrainedCandidates(
            Candidates(pool.features(chosen), latency), np.array(accuracy), np.zeros(len(chosen))
        )
        chosen.append(points[search.propose(trained, Candidates(pool.features(points), foreseen))])
        accuracy.append(_trained(surrogate, chosen[-1], random))
    return chosen


def by_optuna(make: Callable[[int], BaseSampler]) -> Callable[[Surrogate, int], list[Point]]:
    """One of Optuna's samplers, with both objectives."""

    def way(surrogate: Surrogate, seed: int) -> list[Point]:
        random = np.random.default_rng(seed)
        study = optuna.create_study(directions=["maximize", "minimize"], sampler=make(seed))
        space = {name: distribution_of(each) for name, each in surrogate.problem.parameters.items()}
        for _ in range(TRAININGS):
            trial = study.ask(space)
            latency = float(surrogate.look([trial.params])[0][0])
            study.tell(trial, [_trained(surrogate, trial.params, random), latency])
        return [trial.params for trial in study.trials]

    return way


def _trained(surrogate: Surrogate, point: Point, random: np.random.Generator) -> float:
    noise = 0.0 if np.isnan(surrogate.problem.noise) else surrogate.problem.noise
    return float(surrogate.look([point])[1][0] + noise * random.standard_normal())


WAYS: Mapping[str, Callable[[Surrogate, int], list[Point]]] = {
    "ours": ours,
    "random": by_optuna(lambda seed: optuna.samplers.RandomSampler(seed=seed)),
    "NSGA-II": by_optuna(lambda seed: optuna.samplers.NSGAIISampler(seed=seed, population_size=10)),
    "Optuna's default": by_optuna(lambda seed: optuna.samplers.TPESampler(seed=seed)),
    "multivariate TPE": by_optuna(lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=True)),
    "GP": by_optuna(lambda seed: optuna.samplers.GPSampler(seed=seed)),
}


def main(arguments: list[str] | None = None) -> None:
    """Fit, judge, search what is missing; print the tables and write all figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for results; found again when run again")
    parser.add_argument("--table", type=Path, default=TABLE, help="folder of the table (default: the repository's)")
    parser.add_argument("--seeds", type=int, default=SEEDS, metavar="N", help="default: %(default)s")
    parser.add_argument("--way", action="append", choices=WAYS, help="only this one; may be given several times")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), metavar="N", help="default: %(default)s")
    options = parser.parse_args(arguments)
    problems = {problem.name: problem for problem in digits_problems(options.table)}
    figures = _figures(problems, options)
    (options.out / "surrogate.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(table_text(figures))


def _figures(problems: Mapping[str, Variants], options: argparse.Namespace) -> dict[str, Any]:
    results = ResultsFile(options.out / "surrogate.jsonl")
    work = list(product(problems, options.way or WAYS, range(options.seeds)))
    with ProcessPoolExecutor(options.processes, initializer=_quiet) as pool:
        known = results.read()
        runs = {
            key: pool.submit(_searched, problems[key[0]], *key[1:])
            for key in work
            if " | ".join(map(str, key)) not in known
        }
        for key, run in runs.items():
            results.get_or_run(" | ".join(map(str, key)), run.result)
    found = {tuple(key.split(" | ")): run["volume"] for key, run in results.read().items()}
    ways = [way for way in WAYS if any(w == way for _, w, _ in found)]  # of earlier commands too
    figures: dict[str, Any] = {}
    for name, problem in problems.items():
        best = Surrogate.of(problem).best_volume
        regrets = {
            way: [1 - volume / best for (n, w, _), volume in found.items() if (n, w) == (name, way)] for way in ways
        }
        figures[name] = {"tau": held_out(problem), "noise": problem.noise, "regret": regrets}
    return figures


def _quiet() -> None:
    use_one_thread()
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def _searched(problem: Variants, way: str, seed: int) -> dict[str, float]:
    surrogate = Surrogate.of(problem)
    return {"volume": surrogate.volume(WAYS[way](surrogate, seed))}


def table_text(figures: Mapping[str, Any]) -> str:
    """As Markdown: the medians of the regret after so many trainings, and how well the models rank."""
    ways = list(dict.fromkeys(way for each in figures.values() for way in each["regret"]))
    rows = [[way, *(f"{100 * np.median(each['regret'][way]):.1f} %" for each in figures.values())] for way in ways]
    taus = ["Kendall tau of the models, held out: accuracy, latency"]
    taus += [f"{each['tau'][0]:.3f}, {each['tau'][1]:.3f}" for each in figures.values()]
    return markdown_table([f"hypervolume regret after {TRAININGS} trainings", *figures], [*rows, taus])


if __name__ == "__main__":
    main()
