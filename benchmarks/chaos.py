"""Disturb a study of real trainings, and count what is lost, doubled, stuck or wrong. All must be zero.

    make chaos                                        ten minutes, SQLite and PostgreSQL
    python -m benchmarks.chaos --minutes 2            as CI does it
    python -m benchmarks.chaos --page docs/results/reliability.md     the page, from the stored results

The schedule follows from the seed, which is printed. The exit code is 1 if any count is not zero.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.disturbing.databases import DisturbedDatabase, LockedFile, PostgresServer, postgres_is_installed
from benchmarks.disturbing.deadly import run_deadly
from benchmarks.disturbing.disturbances import DISTURBANCE_KINDS
from benchmarks.disturbing.page import table_lines, write_reliability_page
from benchmarks.disturbing.phase import HUNG_AFTER_S, LONGEST_OUTAGE_S, LONGEST_PAUSE_S, Phase, PhaseResult
from benchmarks.disturbing.watched_study import RECOVERS_WITHIN_S
from spaces.shown import print_line

DATABASES = ("sqlite", "postgresql")
RESULTS = Path("docs/results/reliability.json")
DEADLY_WITH_WORKERS = (1, 3)
"""Numbers of workers with which deadly trials are tried."""
OVERHEAD_S = 50.0
"""About the seconds of a phase before its first trial and after its last disturbance."""


def main() -> int:
    """Run the command line."""
    options = _parser().parse_args()
    if options.page is not None:
        write_reliability_page(options.results, options.page)
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that nothing is left behind
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
    print_line(f"seed {seed}: the same schedule again by --seed {seed}")
    begun = time.monotonic()
    if options.deadly:
        results = [_run_deadly(workers, options.hung_after) for workers in DEADLY_WITH_WORKERS]
    else:
        results = [_run_phase(name, seed, options) for name in options.databases]
    for line in table_lines([each.as_plain() for each in results]):
        print_line(line)
    if options.keep:
        entry = {
            "seed": seed,
            "only": ["trials that end their worker"] if options.deadly else options.only,
            "longest_outage_s": options.longest_outage,
            "recovers_within_s": options.recovers_within,
            "hung_after_s": options.hung_after,
            "seconds": round(time.monotonic() - begun),
            "rows": [each.as_plain() for each in results],
        }
        _keep(options.results, entry)
    return 0 if all(each.is_clean for each in results) else 1


def _run_phase(name: str, seed: int, options: argparse.Namespace) -> PhaseResult:
    begun = time.monotonic()

    def say(line: str) -> None:
        print_line(f"{time.monotonic() - begun:5.0f} s  {line}")

    with tempfile.TemporaryDirectory(prefix="yolofront-chaos-") as scratch:
        folder = Path(scratch)
        database = _database(name, folder)
        try:
            seconds = max(20.0, options.minutes * 60 / len(options.databases) - OVERHEAD_S)
            phase = Phase(
                database,
                folder / "disk",
                random.Random(f"{seed} {name}"),
                seconds=seconds,
                say=say,
                only=options.only,
                longest_outage_s=options.longest_outage,
                longest_pause_s=options.longest_pause,
                recovers_within_s=options.recovers_within,
                hung_after_s=options.hung_after,
            )
            return phase.run()
        finally:
            database.close()


def _run_deadly(workers: int, hung_after_s: float) -> PhaseResult:
    with tempfile.TemporaryDirectory(prefix="yolofront-chaos-") as scratch:
        return run_deadly(_database("sqlite", Path(scratch)), Path(scratch) / "run", workers, hung_after_s, print_line)


def _database(name: str, folder: Path) -> DisturbedDatabase:
    return LockedFile(folder / "chaos.db") if name == "sqlite" else PostgresServer()


def _keep(file: Path, entry: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    file.write_text(json.dumps([*known, entry], indent=1) + "\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="about the time of all (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="seed of the schedule (default: a random one)")
    usual = DATABASES if postgres_is_installed() else DATABASES[:1]
    parser.add_argument("--databases", nargs="+", choices=DATABASES, default=usual, help="default: those installed")
    parser.add_argument("--only", nargs="+", choices=DISTURBANCE_KINDS, default=[], help="disturbances (default: all)")
    parser.add_argument("--deadly", action="store_true", help="instead: trials that end their worker each time")
    parser.add_argument(
        "--longest-outage",
        type=float,
        default=LONGEST_OUTAGE_S,
        metavar="SECONDS",
        help="longest time that the database is away (default: %(default)s)",
    )
    parser.add_argument(
        "--longest-pause",
        type=float,
        default=LONGEST_PAUSE_S,
        metavar="SECONDS",
        help="longest pause after a disturbance (default: %(default)s)",
    )
    parser.add_argument(
        "--recovers-within",
        type=float,
        default=RECOVERS_WITHIN_S,
        metavar="SECONDS",
        help="longer than that counts as stuck; more where other work slows all (default: %(default)s)",
    )
    parser.add_argument(
        "--hung-after",
        type=float,
        default=HUNG_AFTER_S,
        metavar="SECONDS",
        help="time without progress after which a worker is ended; more where loading is slow (default: %(default)s)",
    )
    parser.add_argument("--keep", action="store_true", help="add the result to the file of results")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file of results (default: %(default)s)")
    parser.add_argument("--page", type=Path, help="write the page from the stored results instead")
    return parser


if __name__ == "__main__":
    sys.exit(main())
