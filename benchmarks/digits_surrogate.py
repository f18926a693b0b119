"""Compare samplers on a surrogate of the table of variants, where they may suggest any point of the space.

    python -m benchmarks.digits_surrogate --out runs/search

Models of accuracy and latency are fitted to the table, tested by cross-validation, and then searched. Each training has
noise as large as the difference between trainings with other seeds. The latency that our sampler predicts has an error
as large as that of a predictor after 16 measurements.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

from benchmarks.searching.digits_table import digits_problems
from benchmarks.searching.surrogate_search import (
    SURROGATE_METHODS,
    SURROGATE_SEEDS,
    run_surrogate_search,
    silence_optuna,
    surrogate_figures,
    surrogate_table,
)
from benchmarks.setup.options import add_processes, add_seeds, results_parser
from benchmarks.setup.results import ResultsFile, join_key, split_key, write_json
from benchmarks.variant_table.stored_table import TABLE


def main() -> None:
    """Fit and test the models, run the searches that are missing; print the table and write all figures."""
    parser = results_parser(__doc__)
    parser.add_argument("--table", type=Path, default=TABLE, help="folder of the table (default: the repository's)")
    add_seeds(parser, SURROGATE_SEEDS)
    parser.add_argument(
        "--way", action="append", choices=SURROGATE_METHODS, help="only this method; may be given several times"
    )
    add_processes(parser)
    options = parser.parse_args()
    problems = {problem.name: problem for problem in digits_problems(options.table)}
    runs = product(problems, options.way or SURROGATE_METHODS, range(options.seeds))
    calls = {join_key(*run): (problems[run[0]], *run[1:]) for run in runs}
    results = ResultsFile(options.out / "surrogate.jsonl")
    results.run_missing(run_surrogate_search, calls, processes=options.processes, initializer=silence_optuna)
    volumes = {split_key(key): run["volume"] for key, run in results.read().items()}
    figures = surrogate_figures(problems, {(p, m, int(seed)): volume for (p, m, seed), volume in volumes.items()})
    write_json(options.out / "surrogate.json", figures)
    print(surrogate_table(figures))


if __name__ == "__main__":
    main()
