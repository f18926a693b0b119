"""Measure studies on a cluster: a disturbed study on a real Slurm, workers that start at once, the service alone.

    python -m benchmarks.cluster.run --out runs/cluster --page docs/results/cluster.md
    python -m benchmarks.cluster.run --out /tmp/small --short          one job of each kind, some minutes

It needs Slurm and PostgreSQL (Debian: slurm-wlm, munge, postgresql). The text below "Notes" of the page is kept.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.cluster.disturbed_jobs import JOB_DISTURBANCES, DisturbedJobs
from benchmarks.cluster.herd import herd, service_rate
from benchmarks.cluster.one_node import one_node
from benchmarks.cluster.page import cluster_blocks
from benchmarks.disturbing.databases import PostgresServer
from benchmarks.serving.made_study import MadeStudy
from benchmarks.setup.markdown import page_text, read_notes
from benchmarks.setup.one_thread import use_one_thread
from benchmarks.setup.options import results_parser
from benchmarks.setup.results import ResultsFile, join_key
from benchmarks.variant_table.builder import VariantBuilder
from benchmarks.variant_table.stored_table import NETWORKS_FOLDER, TABLE
from spaces.shown import print_line

DISTURBED = dict(zip(JOB_DISTURBANCES, (5, 5, 5, 3, 1, 2), strict=True))
"""Number of disturbances of each kind in the whole run; a preemption is one of all jobs at once."""
ONE_OF_EACH = dict.fromkeys(JOB_DISTURBANCES, 1)
HERD_WORKERS, RATE_WORKERS, RATE_TRIALS, FEW_RATE_TRIALS = 48, (1, 4, 16), 160, 48
CLUSTER_PARTS = ("calm", "disturbed", "herd", "rate")


def main() -> None:
    """Measure what is missing, print the tables, and write the page."""
    parser = results_parser(__doc__)
    parser.add_argument("--page", type=Path, help="Markdown file")
    parser.add_argument("--only", nargs="+", choices=CLUSTER_PARTS, default=CLUSTER_PARTS, help="default: all")
    parser.add_argument(
        "--short", action="store_true", help="one disturbance of each kind, and fewer trials without training"
    )
    parser.add_argument("--trials", type=int, default=12, help="trials of the study (default: %(default)s)")
    parser.add_argument("--within", type=float, default=3600.0, metavar="SECONDS", help="end a study after this time")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    use_one_thread()
    results = ResultsFile(options.out / "cluster.jsonl")
    for part, kinds in (("calm", {}), ("disturbed", ONE_OF_EACH if options.short else DISTURBED)):
        if part in options.only:
            results.get_or_run(
                join_key("jobs", part),
                lambda kinds=kinds: _jobs(kinds, options.trials, options.seed, options.within),  # type: ignore[misc]
            )
    if "herd" in options.only:
        results.get_or_run(
            join_key("herd", HERD_WORKERS), lambda: _with_database(lambda made: herd(made, HERD_WORKERS))
        )
    rate_trials = FEW_RATE_TRIALS if options.short else RATE_TRIALS
    for count in RATE_WORKERS if "rate" in options.only else ():
        for name, around in (("SQLite", _with_file), ("PostgreSQL", _with_database)):
            results.get_or_run(
                join_key("rate", name, count),
                lambda count=count, around=around: around(lambda made: service_rate(made, count, rate_trials)),  # type: ignore[misc]
            )
    blocks = cluster_blocks(results.read())
    print_line("\n\n".join(blocks))
    if options.page is not None:
        options.page.write_text(page_text(blocks, read_notes(options.page)), encoding="utf-8")


def _jobs(kinds: Mapping[str, int], trials: int, seed: int, within_s: float) -> Mapping[str, Any]:
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, closing(PostgresServer()) as database, one_node() as slurm:
        print_line(f"Slurm and PostgreSQL run after {time.monotonic() - begun:.1f} s")
        study = DisturbedJobs(slurm, database, Path(folder), print_line, kinds)
        return study.run(jobs=4, trials=trials, seed=seed, within_s=within_s)


def _with_database(measure: Callable[[MadeStudy], Mapping[str, Any]]) -> Mapping[str, Any]:
    with tempfile.TemporaryDirectory() as folder, closing(PostgresServer()) as database:
        return measure(MadeStudy(_builder(folder), database.url))


def _with_file(measure: Callable[[MadeStudy], Mapping[str, Any]]) -> Mapping[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        return measure(MadeStudy(_builder(folder), f"sqlite:///{folder}/study.db"))


def _builder(folder: str) -> VariantBuilder:
    return VariantBuilder.prepare(Path(folder), TABLE / NETWORKS_FOLDER)


if __name__ == "__main__":
    main()
