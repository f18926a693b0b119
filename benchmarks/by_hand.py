"""Compare pruning by hand on a data set with the search, for as many epochs.

    python -m benchmarks.by_hand --out runs/by_hand --data bccd/data.yaml --model yolov8n.safetensors --imgsz 160
    python -m benchmarks.by_hand --out runs/by_hand --levels
    python -m benchmarks.by_hand --out runs/by_hand --confirm
    python -m benchmarks.by_hand --out runs/by_hand --page docs/results/by_hand.md

The first line is run once for each data set. It runs `imp` (rounds by hand) and `nas_distill` (the graft by hand), and
two searches: `nas_head`, grafts of those rounds, and `channel_ratio`, from the dense parent, below the latency of the
best network by hand. Two networks of each search are polished, that is trained further. At the end the best network by
hand is polished for as many epochs as `nas_head` took. The second line runs `prune_levels` on digits. If one of them is
killed, the same command continues it. The third line is run last: it re-measures all fronts and needs an idle machine.
The fourth writes the page from the databases alone.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.pruned_by_hand.made_networks import data_set_projects
from benchmarks.pruned_by_hand.page import write_by_hand_page
from benchmarks.pruned_by_hand.runs import DataSetRuns
from benchmarks.setup.options import results_parser

SCALE = 0.03
"""Share of the epochs by hand that is trained."""


def main() -> None:
    """Run the missing studies, or write the page."""
    options = _options()
    if options.page is not None:
        write_by_hand_page(options.out, options.page, _commands())
    elif options.confirm:
        for project in data_set_projects(options.out):
            DataSetRuns(project).confirm()
    elif options.levels:
        DataSetRuns(options.out / "digits").run_levels()
    else:
        project = options.out / options.data.parent.name
        DataSetRuns(project, options.data, options.model, options.imgsz).run_all(options.scale)


def _options() -> argparse.Namespace:
    parser = results_parser(__doc__)
    add = parser.add_argument
    add("--data", type=Path, metavar="YAML", help="data set in Ultralytics format")
    add("--model", type=Path, metavar="FILE", help="weights to start from")
    add("--imgsz", type=int, metavar="PX", help="image size")
    add("--scale", type=float, default=SCALE, help="share of the epochs by hand (default: %(default)s)")
    add("--confirm", action="store_true", help="re-measure the fronts; needs an idle machine")
    add("--levels", action="store_true", help="run prune_levels on digits, from scratch")
    add("--page", type=Path, metavar="FILE", help="write the page of all finished runs, and run nothing")
    options = parser.parse_args()
    if options.page is None and options.data is None and not (options.levels or options.confirm):
        parser.error("give --data, --levels, --confirm or --page")
    return options


def _commands() -> str:
    """Return the command lines of this module's documentation, as the page quotes them."""
    return "\n".join(line.strip() for line in (__doc__ or "").splitlines() if line.startswith("    python"))


if __name__ == "__main__":
    main()
