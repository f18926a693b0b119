"""Count the trainings that a prior mean spares on published tables, and fit the prior mean that is shipped.

    python -m benchmarks.prior_mean --table path/to/yolobench --out runs/prior_mean
    python -m benchmarks.prior_mean --table path/to/yolobench --write search/sampler/prior_mean_yolobench.json

The tables are described in `benchmarks.search`. A prior mean is never learnt from the table that is searched: that of
VOC from scratch is learnt from VOC fine-tuned, and the reverse; that of any further table in the folder from both. If
the first command is killed, it continues where it was.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path

from benchmarks.searching.prior_cases import CASES, PRIOR_ARMS, cases_table, learnt_elsewhere, run_case
from benchmarks.searching.yolobench import ACCURACY_FILES, SizedProblem, yolobench_problems
from benchmarks.setup.one_thread import use_one_thread
from benchmarks.setup.options import add_processes, add_seeds
from benchmarks.setup.results import ResultsFile, join_key, write_json

PRIOR_MEAN_SEEDS = 16
SOURCE = (
    "Fitted by `python -m benchmarks.prior_mean --write` to tables of YOLOBench (Lazarevich et al., arXiv 2307.13901; "
    "github.com/Deeplite/deeplite-torch-zoo, results/yolobench, Apache-2.0): "
)


def main() -> None:
    """Run the missing searches and print their table, or write the coefficients."""
    options = _options()
    problems = yolobench_problems(options.table)
    if options.write:
        write_json(options.write, learnt_elsewhere(problems, "", source=SOURCE + ", ".join(ACCURACY_FILES)).as_plain())
    if options.out:
        print(_compare(problems, options))


def _compare(problems: list[SizedProblem], options: argparse.Namespace) -> str:
    runs = product(CASES, range(len(problems)), PRIOR_ARMS, range(options.seeds))
    calls = {
        join_key(case, problems[place].name, arm, seed): (problems, place, case, arm, seed)
        for case, place, arm, seed in runs
    }
    results = ResultsFile(options.out / "prior_mean.jsonl")
    results.run_missing(run_case, calls, processes=options.processes, initializer=use_one_thread)
    found = results.read()
    return cases_table({key: found[key] for key in calls})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, required=True, help="folder with the published CSV files")
    parser.add_argument("--out", type=Path, help="folder of results of the comparison; a later run continues them")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the coefficients, fitted to the VOC tables")
    add_seeds(parser, PRIOR_MEAN_SEEDS)
    add_processes(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
