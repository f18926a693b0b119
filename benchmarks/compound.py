"""Compare the best by hand with the search at equal training after one parent: which is better at equal latency?

    python -m benchmarks.compound --out runs/compound --data digits --seed 0
    python -m benchmarks.compound --out runs/compound --data bccd/data.yaml --model yolov8n.safetensors --imgsz 160
    python -m benchmarks.compound --out runs/compound --data digits --seed 0 --list
    python -m benchmarks.compound --out runs/compound --page docs/results/compound.md

The first two lines run the missing arms of a data set and seed. No arm begins after `--minutes`; if a run is killed or
out of time, the same command continues it. When all arms are done, their networks are timed in turn with each other,
which needs an idle machine (`--race` does it earlier). The third line says which arms are done. The fourth writes the
page from the databases, and the figures as JSON beside it; figures in the JSON stay if their databases are not there.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks.compounding.arms import ARMS
from benchmarks.compounding.page import write_compound_page
from benchmarks.compounding.plan import DIGITS, stored_plan, usual_plan
from benchmarks.compounding.runs import SeedRuns
from benchmarks.setup.options import results_parser

USUAL_MINUTES = 30.0
"""Default of `--minutes`."""
PLANNED = ("model", "imgsz", "parent_epochs", "budget", "hand_scale", "search_scale")
"""Options that belong to the plan of a data set and seed; they are stored when it is begun."""


def main() -> None:
    """Run the missing arms, list them, or write the page."""
    parser = _parser()
    options = parser.parse_args()
    if options.page is not None:
        write_compound_page(options.out, options.page, _commands())
        return
    if options.data is None:
        parser.error("give --data or --page")
    try:
        runs = _runs(options)
        arms = _arms(options.arms)
    except ValueError as error:
        parser.error(str(error))
    if not options.list:
        runs.run(arms, options.minutes)
        if options.race or all(runs.is_done(arm) for arm in ARMS):
            runs.race()
    print("\n".join(runs.list_lines()))


def _runs(options: argparse.Namespace) -> SeedRuns:
    given: dict[str, Any] = {name: getattr(options, name) for name in PLANNED}
    plan = usual_plan(options.data, options.seed, given)
    folder = plan.folder(options.out)
    return SeedRuns(stored_plan(folder, plan, given), folder)


def _arms(text: str) -> list[str]:
    wanted = [name.strip() for name in text.split(",") if name.strip()]
    for name in wanted:
        if name not in ARMS:
            raise ValueError(f"--arms names '{name}'; there are {', '.join(ARMS)}")
    return wanted


def _parser() -> argparse.ArgumentParser:
    parser = results_parser(__doc__)
    add = parser.add_argument
    add("--data", metavar="YAML", help=f"{DIGITS}, or a data set in Ultralytics format")
    add("--seed", type=int, default=0, metavar="N", help="seed of data and training (default: %(default)s)")
    add("--arms", default=",".join(ARMS), metavar="NAMES", help="arms to run (default: %(default)s)")
    add(
        "--minutes",
        type=float,
        default=USUAL_MINUTES,
        metavar="M",
        help="no arm begins after them (default: %(default)g)",
    )
    add("--list", action="store_true", help="say which arms are done, and run nothing")
    add("--race", action="store_true", help="time the networks of the arms that are done, also if some are missing")
    add("--page", type=Path, metavar="FILE", help="write the page of all finished arms, and run nothing")
    plan = parser.add_argument_group("plan of a data set and seed; stored when it is begun")
    plan.add_argument("--model", metavar="FILE", help="weights or structure that the parent begins with")
    plan.add_argument("--imgsz", type=int, metavar="PX", help="image size")
    plan.add_argument("--parent-epochs", type=int, metavar="N", help="epochs of the parent")
    plan.add_argument("--budget", type=int, metavar="N", help="epochs of training after the parent, of each arm")
    plan.add_argument("--hand-scale", type=float, metavar="X", help="share of the epochs of the rounds by hand")
    plan.add_argument("--search-scale", type=float, metavar="X", help="share of the epochs of the searches' donors")
    return parser


def _commands() -> str:
    """Return the command lines of this module's documentation, as the page quotes them."""
    return "\n".join(line.strip() for line in (__doc__ or "").splitlines() if line.startswith("    python"))


if __name__ == "__main__":
    main()
