"""Measure the savings and the losses of stopping rules: learning curves of trained variants are replayed.

    python -m benchmarks.rungs --out runs/rungs

The same search is run with each rule, with 1, 4, 8 and 16 workers, until complete trials have 98 % of the best
hypervolume of the table in `benchmarks/tables/digits`; rules that never reach it are run with fewer seeds. If it is
killed, the same command continues it.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.searching.digits_table import digits_problems
from benchmarks.setup.one_thread import use_one_thread
from benchmarks.setup.options import add_processes, add_seeds, results_parser
from benchmarks.setup.results import ResultsFile, join_key, split_key, write_json
from benchmarks.stopping.figures import RuleRun, stopping_figures, stopping_tables
from benchmarks.stopping.rules import COMPARED_RULES, simulate_study
from benchmarks.variant_table.stored_table import TABLE

RULE_SEEDS = 20
WORKER_COUNTS = (1, 4, 8, 16)
FEWER_SEEDS = {"mo-asha": 5, "median of mAP": 3}
"""Maximum seeds of rules that stop too many trials to reach the goal: their studies go on for 250 trials."""


def main() -> None:
    """Run the missing simulations, print the tables, write all figures."""
    options = _options()
    problems = {problem.name: problem for problem in digits_problems(options.table)}
    runs = product(problems, options.rule or COMPARED_RULES, options.workers or WORKER_COUNTS, range(options.seeds))
    calls = {
        join_key(*run): (problems[run[0]], *run[1:]) for run in runs if run[3] < FEWER_SEEDS.get(run[1], options.seeds)
    }
    results = ResultsFile(options.out / "rungs.jsonl")
    results.run_missing(simulate_study, calls, processes=options.processes, initializer=use_one_thread)
    figures = stopping_figures(_in_order(results.read()))
    write_json(options.out / "figures.json", figures)
    print(*stopping_tables(figures), sep="\n\n")


def _options() -> argparse.Namespace:
    parser = results_parser(__doc__)
    parser.add_argument("--table", type=Path, default=TABLE, help="folder of the table (default: the repository's)")
    add_seeds(parser, RULE_SEEDS)
    parser.add_argument(
        "--rule", action="append", choices=COMPARED_RULES, help="only this rule; may be given several times"
    )
    parser.add_argument(
        "--workers", action="append", type=int, metavar="N", help="only this number of workers; may be given again"
    )
    add_processes(parser)
    return parser.parse_args()


def _in_order(results: Mapping[str, Mapping[str, Any]]) -> dict[RuleRun, Mapping[str, Any]]:
    """Sort rules as they are listed; runs of earlier commands are included."""
    runs = {(p, rule, int(workers), int(seed)): key for key in results for p, rule, workers, seed in [split_key(key)]}

    def place(run: RuleRun) -> tuple[str, int, int, int]:
        problem, rule, workers, seed = run
        return problem, list(COMPARED_RULES).index(rule), workers, seed

    return {run: results[runs[run]] for run in sorted(runs, key=place)}


if __name__ == "__main__":
    main()
