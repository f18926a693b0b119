"""Run real studies on digits: ours, Optuna's default and pruning by hand, compared at equal training time.

    python -m benchmarks.end_to_end --out runs/end_to_end

Each run is `python -m search.run` in a process of its own, six minutes at most after the parent is trained; each seed
has one parent for all methods. If it is killed, the same command continues it. By hand: the parent is cut uniformly and
fine-tuned, the result is cut again, and so on. Ours runs first, because it would learn from the others' trainings.
"""

from __future__ import annotations

from functools import partial

from benchmarks.real_studies.equal_time import STUDY_METHODS, EqualTimeRuns
from benchmarks.real_studies.equal_time_figures import equal_time_figures, equal_time_table
from benchmarks.setup.options import add_seeds, results_parser
from benchmarks.setup.results import ResultsFile, join_key, write_json

EQUAL_TIME_SEEDS = 3
MINUTES = 6
"""Pruning by hand finishes its rounds in four minutes of training; nothing after that could be compared."""


def main() -> None:
    """Run the missing studies, print the table and write all figures."""
    parser = results_parser(__doc__)
    add_seeds(parser, EQUAL_TIME_SEEDS)
    parser.add_argument(
        "--minutes", type=int, default=MINUTES, metavar="N", help="limit of a run (default: %(default)s)"
    )
    parser.add_argument(
        "-o", "--override", action="append", default=[], metavar="KEY=VALUE", help="change a setting of every study"
    )
    options = parser.parse_args()
    results = ResultsFile(options.out / "end_to_end.jsonl")
    runs = EqualTimeRuns(options.out, options.minutes, options.override)
    found = {
        (method, seed): results.get_or_run(join_key(method, seed), partial(runs.run, method, seed))
        for seed in range(options.seeds)
        for method in STUDY_METHODS
    }
    figures = equal_time_figures(found)
    write_json(options.out / "figures.json", figures)
    print(equal_time_table(figures))


if __name__ == "__main__":
    main()
