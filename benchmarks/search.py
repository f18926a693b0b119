"""How many trainings a search needs, on tables where every detector is trained already.

    python -m benchmarks.search --table path/to/yolobench --table benchmarks/tables/digits --out runs/search
    python -m benchmarks.search_page --out runs/search --page docs/results/search.md

The first table is YOLOBench (Lazarevich et al., arXiv 2307.13901), published in github.com/Deeplite/deeplite-torch-zoo
under results/yolobench: `VOC_scratch_100epochs.csv`, `VOC_finetuned.csv`, `latency.csv`.
The second one is our own (`benchmarks.variants`): cut and grafted detectors on digit scenes, 53 parameters.
Every way to search is run on every problem (data set x device) with every seed; kill it, and the same command goes on.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.searching.digits_table import ROWS, Variants, digits_problems
from benchmarks.searching.figures import figures_of, table_text
from benchmarks.searching.problems import Problem, yolobench
from benchmarks.searching.ways import WAYS
from benchmarks.setup.one_thread import use_one_thread
from benchmarks.setup.results import ResultsFile

SEEDS = 20
TRAININGS = 300
OWN_TRAININGS = 60
"""On our own table, of which regret after 50 is asked; with 53 parameters TPE takes seconds after some hundred."""
SLOW = {"GP": 90, "ours": 150}
"""Trainings of a way whose suggestions take seconds: as many as it needs to be compared."""
FEW = {"Optuna's default": 5, "GP": 3}
"""Seeds of slow ways on the published tables, each of which takes them a minute."""
OWN_FEW = {"Optuna's default": 8, "GP": 5, "multivariate TPE": 5}
"""On our own table, where one takes them two to four minutes."""


def main(arguments: list[str] | None = None) -> None:
    """Run what is missing, print the table and write all figures."""
    options = _options(arguments)
    problems = {problem.name: problem for table in options.table for problem in problems_of(table)}
    results = ResultsFile(options.out / "table.jsonl")
    chosen = [name for name in problems if options.problem is None or options.problem in name]
    every = product(chosen, options.way or WAYS, range(options.seeds))
    work = [each for each in every if each[2] < _seeds(problems[each[0]], each[1], options.seeds)]
    with ProcessPoolExecutor(options.processes, initializer=use_one_thread) as pool:
        finished = results.read()
        missing = [each for each in work if _key(*each) not in finished]
        runs = {each: pool.submit(_run, problems[each[0]], *each[1:]) for each in missing}
        for each, run in runs.items():
            results.get_or_run(_key(*each), run.result)
    figures = figures_of({_run_of(key): run for key, run in sorted(results.read().items(), key=_in_order)})
    (options.out / "figures.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(table_text(figures))


def problems_of(table: Path) -> Sequence[Problem]:
    """Of the published table, or of the one in the repository."""
    return digits_problems(table) if (table / ROWS).exists() else yolobench(table)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--table",
        type=Path,
        action="append",
        required=True,
        help="folder with the published CSV files, or benchmarks/tables/digits; may be given several times",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for results; found again when run again")
    parser.add_argument("--seeds", type=int, default=SEEDS, metavar="N", help="default: %(default)s")
    parser.add_argument("--way", action="append", choices=WAYS, help="only this one; may be given several times")
    parser.add_argument("--problem", metavar="TEXT", help="only those whose name has this in it, such as OpenVINO")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), metavar="N", help="default: %(default)s")
    return parser.parse_args(arguments)


def _key(problem: str, way: str, seed: int) -> str:
    return f"{problem} | {way} | {seed}"


def _run_of(key: str) -> tuple[str, str, int]:
    problem, way, seed = key.split(" | ")
    return problem, way, int(seed)


def _seeds(problem: Problem, way: str, seeds: int) -> int:
    few = OWN_FEW if isinstance(problem, Variants) else FEW
    return min(seeds, few.get(way, seeds))


def _in_order(found: tuple[str, Mapping[str, Any]]) -> tuple[bool, str, int, int]:
    """Published tables first, ways as they are listed; what was run by an earlier command is counted too."""
    problem, way, seed = _run_of(found[0])
    return problem.startswith("digits"), problem, list(WAYS).index(way), seed


def _run(problem: Problem, way: str, seed: int) -> dict[str, Any]:
    most = OWN_TRAININGS if isinstance(problem, Variants) else TRAININGS
    problem = problem.drawn(seed)
    order = WAYS[way](problem, seed, min(most, SLOW.get(way, TRAININGS)))
    found: dict[str, Any] = {"shares": [round(float(share), 5) for share in problem.shares(order)]}
    if isinstance(problem, Variants):
        before = problem.measured_s if way == "ours" else 0.0  # what it is told beforehand was not for nothing
        found["seconds"] = [round(float(seconds), 1) for seconds in before + np.cumsum(problem.seconds[order])]
    return found


if __name__ == "__main__":
    main()
