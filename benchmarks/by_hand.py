"""What pruning by hand gives on a data set, and what the search gives for as many epochs.

    python -m benchmarks.by_hand --out runs/by_hand --data bccd/data.yaml --model yolov8n.safetensors --imgsz 160
    python -m benchmarks.by_hand --out runs/by_hand --levels
    python -m benchmarks.by_hand --out runs/by_hand --confirm
    python -m benchmarks.by_hand --out runs/by_hand --page docs/results/by_hand.md

The first line, once for each data set, runs `imp` (rounds by hand) and `nas_distill` (the graft by hand), then searches
twice, trials first and then longer training of two of them: `nas_head`, grafts of those rounds; and `channel_ratio`,
from the dense parent, below the latency of the best by hand. In the end the best by hand is trained on for as many
epochs as `nas_head` took. The second line runs `prune_levels` on digits. Kill them, and the same command goes on. The
third, last of all, times all fronts again when nothing else runs. The fourth writes the page from the databases alone.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.pruned_by_hand.page import (
    DENSE,
    GRAFTED,
    LEVELS,
    STUDIES,
    accuracy,
    best_by_hand,
    epochs_by_hand,
    epochs_searched,
    findings,
    latency,
    projects,
    write_page,
)
from search.findings.findings import Findings
from search.record.front import non_dominated
from search.record.trial import Outcome, TrialRecord
from search.study.definition import load_study

SCALE, EPOCHS, BATCH = 0.03, 8, 16
"""Share of the hand's epochs that is trained, and epochs and batch of a trial."""
GRAFTS = 12
"""Trials of `nas_head`."""
POLISHED_MEMBERS, POLISH_EPOCHS = 2, 4 * EPOCHS
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

    def polish(self, study: str, records: Sequence[TrialRecord], epochs: int) -> None:
        """Train some of a study's networks on."""
        names = ",".join(record.name for record in records)
        self._command("search.polish", study, "--records", names, "--epochs", str(epochs))

    def confirm(self) -> None:
        """Time each study's front again, side by side."""
        for study in (*STUDIES, LEVELS):
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
    where.run(GRAFTED, "-o", scale, *trials, "--n-trials", str(GRAFTS))
    where.run("nas_distill", "-o", scale, *trials)
    study, best = best_by_hand(where.project)
    where.polish(GRAFTED, _to_polish(where, GRAFTED, latency(best)), POLISH_EPOCHS)
    by_hand = load_study("imp", [scale])
    changes = {
        "parent.recipe": json.dumps(by_hand.parent.recipe.as_plain()),
        "controls": CONTROLS,
        "limits.latency_ms": f"{latency(best):.4g}",
    }
    count = int(epochs_by_hand(by_hand) - POLISHED_MEMBERS * POLISH_EPOCHS) // EPOCHS
    asked = [part for name, value in changes.items() for part in ("-o", f"{name}={value}")]
    where.run(DENSE, *asked, *trials, "--n-trials", str(count))
    where.polish(DENSE, _to_polish(where, DENSE, latency(best)), POLISH_EPOCHS)
    where.polish(study, [best], epochs_searched(_findings(where, GRAFTED)))


def _to_polish(where: Where, study: str, latency_ms: float) -> list[TrialRecord]:
    """The most accurate trials of the front that are no slower than that, or of all of it where there is none."""
    found = _findings(where, study)
    complete = [row for row in found.records if not row.is_reference and row.outcome is Outcome.COMPLETE]
    values = [(accuracy(row), latency(row)) for row in complete]
    front = [complete[place] for place in non_dominated(values, [way for _, way in found.study.objectives])]
    fast = [row for row in front if latency(row) <= latency_ms]
    return sorted(fast or front, key=accuracy, reverse=True)[:POLISHED_MEMBERS]


def _findings(where: Where, study: str) -> Findings:
    found = findings(where.project, study)
    assert found is not None, "it was run"
    return found


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
