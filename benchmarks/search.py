"""Count the trainings that search methods need, on tables where every detector is trained already.

    python -m benchmarks.search --table path/to/yolobench --table benchmarks/tables/digits --out runs/search
    python -m benchmarks.search_page --out runs/search --page docs/results/search.md

The first table is YOLOBench (Lazarevich et al., arXiv 2307.13901), published in github.com/Deeplite/deeplite-torch-zoo
under results/yolobench: `VOC_scratch_100epochs.csv`, `VOC_finetuned.csv`, `latency.csv`.
The second one is our own (`benchmarks.variants`): cut and grafted detectors on digit scenes, 53 parameters.
Every method is run on every problem (data set x device) with every seed. If it is killed, the same command continues
it.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.searching.digits_table import VariantProblem, digits_problems
from benchmarks.searching.methods import GAUSSIAN_PROCESS, MULTIVARIATE_TPE, OPTUNA_DEFAULT, OURS, SEARCH_METHODS
from benchmarks.searching.problems import TableProblem
from benchmarks.searching.table_figures import SearchRun, needed_table, table_figures
from benchmarks.searching.yolobench import yolobench_problems
from benchmarks.setup.one_thread import use_one_thread
from benchmarks.setup.options import add_processes, add_seeds, results_parser
from benchmarks.setup.results import ResultsFile, join_key, split_key, write_json
from benchmarks.variant_table.stored_table import ROWS_FILE

DEFAULT_SEEDS = 20
PUBLISHED_TRAININGS = 300
OWN_TRAININGS = 60
"""Trainings on our own table: regret is compared after 50, and with 53 parameters TPE soon takes seconds for each."""
SLOW_TRAININGS = {GAUSSIAN_PROCESS: 90, OURS: 150}
"""Maximum trainings of methods whose suggestions take seconds: as many as the comparison needs."""
PUBLISHED_SEEDS = {OPTUNA_DEFAULT: 5, GAUSSIAN_PROCESS: 3}
"""Maximum seeds of slow methods on the published tables, where a run takes them a minute."""
OWN_SEEDS = {OPTUNA_DEFAULT: 8, GAUSSIAN_PROCESS: 5, MULTIVARIATE_TPE: 5}
"""Maximum seeds of slow methods on our own table, where a run takes them two to four minutes."""


def main() -> None:
    """Run the missing searches, print the table and write all figures."""
    options = _options()
    problems = {problem.name: problem for table in options.table for problem in _problems_of(table)}
    chosen = [name for name in problems if options.problem is None or options.problem in name]
    runs = product(chosen, options.way or SEARCH_METHODS, range(options.seeds))
    calls = {
        join_key(*run): (problems[run[0]], *run[1:])
        for run in runs
        if run[2] < _max_seeds(problems[run[0]], run[1], options.seeds)
    }
    results = ResultsFile(options.out / "table.jsonl")
    results.run_missing(_run_search, calls, processes=options.processes, initializer=use_one_thread)
    figures = table_figures(_in_order(results.read()))
    write_json(options.out / "figures.json", figures)
    print(needed_table(figures))


def _options() -> argparse.Namespace:
    parser = results_parser(__doc__)
    parser.add_argument(
        "--table",
        type=Path,
        action="append",
        required=True,
        help="folder with the published CSV files, or benchmarks/tables/digits; may be given several times",
    )
    add_seeds(parser, DEFAULT_SEEDS)
    parser.add_argument(
        "--way", action="append", choices=SEARCH_METHODS, help="only this method; may be given several times"
    )
    parser.add_argument("--problem", metavar="TEXT", help="only problems with this in their name, such as OpenVINO")
    add_processes(parser)
    return parser.parse_args()


def _problems_of(table: Path) -> Sequence[TableProblem]:
    return digits_problems(table) if (table / ROWS_FILE).exists() else yolobench_problems(table)


def _max_seeds(problem: TableProblem, method: str, seeds: int) -> int:
    limits = OWN_SEEDS if isinstance(problem, VariantProblem) else PUBLISHED_SEEDS
    return min(seeds, limits.get(method, seeds))


def _run_search(problem: TableProblem, method: str, seed: int) -> dict[str, Any]:
    trainings = OWN_TRAININGS if isinstance(problem, VariantProblem) else PUBLISHED_TRAININGS
    problem = problem.draw(seed)
    order = SEARCH_METHODS[method](problem, seed, min(trainings, SLOW_TRAININGS.get(method, PUBLISHED_TRAININGS)))
    found: dict[str, Any] = {"shares": [round(float(share), 5) for share in problem.hypervolume_shares(order)]}
    if isinstance(problem, VariantProblem):
        before = problem.sensitivity_s if method == OURS else 0.0  # only ours uses that measurement, so it pays for it
        seconds = before + np.cumsum(problem.training_seconds[order])
        found["seconds"] = [round(float(each), 1) for each in seconds]
    return found


def _in_order(results: Mapping[str, Mapping[str, Any]]) -> dict[SearchRun, Mapping[str, Any]]:
    """Sort published tables first and methods as they are listed; runs of earlier commands are included."""
    runs = {(problem, method, int(seed)): key for key in results for problem, method, seed in [split_key(key)]}

    def place(run: SearchRun) -> tuple[bool, str, int, int]:
        problem, method, seed = run
        return problem.startswith("digits"), problem, list(SEARCH_METHODS).index(method), seed

    return {run: results[runs[run]] for run in sorted(runs, key=place)}


if __name__ == "__main__":
    main()
