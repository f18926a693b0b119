"""What pruning by hand gives on a data set, and what the search gives for as many epochs.

    python -m benchmarks.by_hand --out runs/by_hand --data bccd/data.yaml --model yolov8n.safetensors --imgsz 160
    python -m benchmarks.by_hand --out runs/by_hand --levels
    python -m benchmarks.by_hand --out runs/by_hand --confirm
    python -m benchmarks.by_hand --out runs/by_hand --page docs/results/by_hand.md

The first line, once for each data set: `imp` (rounds by hand), `nas_head` and `nas_distill` (the graft made by hand, a
few trials beside it), then `channel_ratio` with the most accurate result's latency as its limit, for no more epochs of
training than the rounds took: half of them in trials, the rest in longer training of the most accurate of its front.
The second runs `prune_levels` on digits. The third times all fronts again, when nothing else runs. Kill them, and the
same command goes on. The last writes the page from the databases alone.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.by_hand_page import (
    BY_HAND,
    LEVELS,
    SEARCH,
    accuracy,
    best_by_hand,
    epochs_by_hand,
    findings,
    latency,
    projects,
    write_page,
)
from search.front import non_dominated
from search.record import Outcome
from search.study import load_study

SCALE, EPOCHS, BATCH = 0.03, 8, 16
"""Share of the hand's epochs that is trained, and epochs and batch of a trial."""
GRAFTS = 4
"""Trials of `nas_head`: each is a graft beside the one made by hand."""
IN_TRIALS = 0.5
"""Share of the search's epochs that goes into trials; the rest polishes."""
POLISHED_MEMBERS = 2
CONTROLS = (
    "[{name: uniform-0.75, from: parent, ratio: 0.75}, {name: uniform-0.5, from: parent, ratio: 0.5}, "
    f"{{name: cut-95, from: parent, ratio: 0.2, recipe: {{epochs: {3 * EPOCHS}}}}}]"
)


@dataclass(frozen=True)
class Where:
    """One data set's runs."""

    project: Path
    data: Path | None = None
    model: Path | None = None
    imgsz: int | None = None

    def run(self, study: str, *more: str) -> None:
        """A study by the command line, or what is missing of it."""
        given = [("--data", self.data), ("--model", self.model), ("--imgsz", self.imgsz)]
        asked = [part for name, value in given if value is not None for part in (name, str(value))]
        self._command("search.run", study, "--name", study, "--no-confirm", *more, *asked)

    def polish(self, budget: float) -> None:
        """Train the most accurate of the search's front on, with the epochs that its trials left."""
        found = findings(self.project, SEARCH)
        assert found is not None
        trials = [record for record in found.records if not record.is_reference]
        left = budget - sum(len(record.rungs) for record in trials)
        complete = [record for record in trials if record.outcome is Outcome.COMPLETE]
        values = [(accuracy(record), latency(record)) for record in complete]
        front = [complete[place] for place in non_dominated(values, [way for _, way in found.study.objectives])]
        members = sorted(front, key=accuracy, reverse=True)[:POLISHED_MEMBERS]
        names = ",".join(record.name for record in members)
        self._command("search.polish", SEARCH, "--records", names, "--epochs", str(int(left // len(members))))

    def confirm(self) -> None:
        """Time each study's front again, side by side."""
        for study in (*BY_HAND, SEARCH, LEVELS):
            if findings(self.project, study) is not None:
                self._command("search.confirm", study)

    def _command(self, module: str, study: str, *more: str) -> None:
        fixed = [sys.executable, "-m", module, "--study", study, "--project", str(self.project)]
        subprocess.run([*fixed, *more], check=True)


def main(arguments: list[str] | None = None) -> None:
    """Run what is missing, or write the page."""
    options = _options(arguments)
    if options.page is not None:
        write_page(options.out, options.page, _commands())
    elif options.confirm:
        for project in projects(options.out):
            Where(project).confirm()
    elif options.levels:
        Where(options.out / "digits").run(LEVELS)
    else:
        where = Where(options.out / options.data.parent.name, options.data, options.model, options.imgsz)
        _run_all(where, options.scale)


def _run_all(where: Where, share: float) -> None:
    scale, trials = f"scale={share}", ("--epochs", str(EPOCHS), "--batch", str(BATCH))
    where.run("imp", "-o", scale)
    where.run("nas_head", "-o", scale, *trials, "--n-trials", str(GRAFTS))
    where.run("nas_distill", "-o", scale, *trials)
    by_hand = load_study("imp", [scale])
    budget, limit = epochs_by_hand(by_hand), latency(best_by_hand(where.project))
    changes = {
        "parent.recipe": json.dumps(by_hand.parent.recipe.as_plain()),
        "controls": CONTROLS,
        "limits.latency_ms": f"{limit:.4g}",
    }
    count = max(4, int(IN_TRIALS * budget / EPOCHS))
    asked = [part for name, value in changes.items() for part in ("-o", f"{name}={value}")]
    where.run(SEARCH, *asked, *trials, "--n-trials", str(count))
    where.polish(budget)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--out", type=Path, required=True, help="folder for the runs; found again when run again")
    add("--data", type=Path, metavar="YAML", help="data set in Ultralytics format")
    add("--model", type=Path, metavar="FILE", help="weights to start from")
    add("--imgsz", type=int, metavar="PX")
    add("--scale", type=float, default=SCALE, help="share of the hand's epochs that is trained (default: %(default)s)")
    add("--confirm", action="store_true", help="time the fronts again; when nothing else runs on this machine")
    add("--levels", action="store_true", help="run prune_levels on digits, from scratch")
    add("--page", type=Path, metavar="FILE", help="write the page of what was run, and run nothing")
    options = parser.parse_args(arguments)
    if options.page is None and options.data is None and not (options.levels or options.confirm):
        parser.error("give --data, --levels, --confirm or --page")
    return options


def _commands() -> str:
    return "\n".join(line.strip() for line in (__doc__ or "").splitlines() if line.startswith("    python"))


if __name__ == "__main__":
    main()
