"""What pruning by hand gives on a data set, and what the search gives for as many epochs.

    python -m benchmarks.by_hand --out runs/by_hand --data bccd/data.yaml --model yolov8n.safetensors --imgsz 160
    python -m benchmarks.by_hand --out runs/by_hand --page docs/results/by_hand.md

The first line runs `imp` (rounds by hand), `nas_head` and `nas_distill` on that data set, and `channel_ratio` and
`nas_head` with trials for as many epochs as the rounds took; once for each data set. `--levels` runs `prune_levels` on
digits. Kill it, and the same command goes on. The second line writes the page from the databases alone.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.finetuning import markdown
from benchmarks.latency_page import NOTES, notes_of
from search.digits import percent, score, significant
from search.findings import Findings, read_findings
from search.folders import RunFolder
from search.latency_text import LATENCY
from search.leaderboard import columns_of, leaderboard
from search.leaderboard_formats import markdown as table_of
from search.leaderboard_formats import splits_of
from search.record import Outcome, TrialRecord
from search.store.sql import open_store
from search.study import load_study

BY_HAND, SEARCHES = ("imp", "nas_distill"), ("channel_ratio", "nas_head")
LEVELS = "prune_levels"
SCALE, EPOCHS = 0.01, 4
"""Share of the hand's epochs that is trained, and epochs of a trial."""


@dataclass(frozen=True)
class Where:
    """One data set's runs."""

    project: Path
    data: Path | None
    model: Path | None
    imgsz: int | None

    def run(self, study: str, *more: str) -> None:
        """A study by the command line, or what is missing of it."""
        fixed = ["--study", study, "--project", str(self.project), "--name", study, *more]
        given = [("--data", self.data), ("--model", self.model), ("--imgsz", self.imgsz)]
        asked = [part for name, value in given if value is not None for part in (name, str(value))]
        subprocess.run([sys.executable, "-m", "search.run", *fixed, *asked], check=True)

    def findings(self, study: str) -> Findings | None:
        """What its database says of a study; None if it was not run."""
        url = RunFolder(self.project).default_storage
        store = open_store(url)
        try:
            entry = store.latest_study(study)
            return None if entry is None else read_findings(store, entry)
        finally:
            store.close()


def main(arguments: list[str] | None = None) -> None:
    """Run what is missing, or write the page."""
    options = _options(arguments)
    if options.page is not None:
        before = options.page.read_text(encoding="utf-8") if options.page.exists() else ""
        options.page.write_text(page(options.out, notes_of(before)), encoding="utf-8")
        return
    if options.levels:
        where = Where(options.out / "digits", None, None, options.imgsz)
        where.run(LEVELS, "-o", f"scale={options.scale}")
        return
    where = Where(options.out / options.data.parent.name, options.data, options.model, options.imgsz)
    for study in BY_HAND:
        where.run(study, *_recipe(study, options))
    trials = max(1, round(epochs_by_hand(options.scale) / EPOCHS))
    for study in SEARCHES:
        where.run(study, "--n-trials", str(trials), "--epochs", str(EPOCHS))


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--out", type=Path, required=True, help="folder for the runs; found again when run again")
    add("--data", type=Path, metavar="YAML", help="data set in Ultralytics format")
    add("--model", type=Path, metavar="FILE", help="weights to start from")
    add("--imgsz", type=int, metavar="PX")
    add("--scale", type=float, default=SCALE, help="share of the hand's epochs that is trained (default: %(default)s)")
    add("--levels", action="store_true", help="run prune_levels on digits, from scratch")
    add("--page", type=Path, metavar="FILE", help="write the page of what was run, and run nothing")
    options = parser.parse_args(arguments)
    if options.page is None and options.data is None and not options.levels:
        parser.error("give --data, --levels or --page")
    return options


def _recipe(study: str, options: argparse.Namespace) -> list[str]:
    return ["-o", f"scale={options.scale}"] if study == "imp" else ["--epochs", str(EPOCHS)]


def epochs_by_hand(scale: float) -> float:
    """Epochs that the rounds of `imp` are trained, with sparsity and without."""
    study = load_study("imp", [f"scale={scale}"])
    recipes = [study.recipe_of(row) for row in study.donors] + [study.sparse_recipe_of(row) for row in study.donors]
    return sum(float(recipe["epochs"]) for recipe in recipes)


def page(out: Path, notes: str) -> str:
    """The whole page, from the databases."""
    blocks = [
        "# What is done by hand, and what the search finds",
        f"```sh\n{_commands()}\n```",
        "Every table comes from a database of runs; only the notes at the end are by hand.",
    ]
    for project in sorted(path for path in out.iterdir() if path.is_dir()):
        where = Where(project, None, None, None)
        found = {study: where.findings(study) for study in (*BY_HAND, *SEARCHES, LEVELS)}
        known = {study: each for study, each in found.items() if each is not None}
        if known:
            blocks += [f"## {project.name}", *_claim(known)]
            blocks += [part for study, each in known.items() for part in _tables(study, each)]
    return "\n\n".join([*blocks, NOTES, notes or "None yet."]) + "\n"


def _commands() -> str:
    return "\n".join(line.strip() for line in (__doc__ or "").splitlines() if line.startswith("    python"))


def _tables(study: str, found: Findings) -> Iterable[str]:
    complete = [record for record in found.records if record.outcome is Outcome.COMPLETE]
    shown = [record for record in complete if record.is_reference or record.name in found.front]
    for split in splits_of(shown):
        rows = leaderboard(shown, found.front, split=split, at_best_f1=True)
        yield f"### {study}, {split}"
        yield table_of(rows, columns_of(shown, at_best_f1=True))


def _claim(found: dict[str, Findings]) -> list[str]:
    """The search's front beside the best that was made by hand: at its latency, and at its accuracy."""
    hand = [row for study in ("imp", "nas_head", "nas_distill") if study in found for row in _by_hand(found[study])]
    searched = [each for study in SEARCHES if study in found for each in _on_front(found[study])]
    if not hand or not searched:
        return []
    best = max(hand, key=lambda record: record.value("map50_95") or 0.0)
    accuracy, latency = best.value("map50_95") or 0.0, best.value(LATENCY) or 0.0
    as_fast = [each for each in searched if (each.value(LATENCY) or 0.0) <= latency]
    as_good = [each for each in searched if (each.value("map50_95") or 0.0) >= accuracy]
    rows = [["best by hand", best.name, score(accuracy), significant(latency), _pruned(best)]]
    if as_fast:
        rows.append(["search, no slower", *_figures(max(as_fast, key=lambda each: each.value("map50_95") or 0.0))])
    if as_good:
        rows.append(["search, no less accurate", *_figures(min(as_good, key=lambda each: each.value(LATENCY) or 0.0))])
    return [markdown(["", "name", "mAP50-95 (val)", "latency, ms", "pruned"], rows)]


def _by_hand(found: Findings) -> list[TrialRecord]:
    rows = [record for record in found.records if record.is_reference and record.name != "parent"]
    return [record for record in rows if record.value("map50_95") is not None]


def _on_front(found: Findings) -> Sequence[TrialRecord]:
    return [record for record in found.records if record.name in found.front and not record.is_reference]


def _figures(record: TrialRecord) -> list[str]:
    return [
        record.name,
        score(record.value("map50_95") or 0.0),
        significant(record.value(LATENCY) or 0.0),
        _pruned(record),
    ]


def _pruned(record: TrialRecord) -> str:
    share = record.measurement("share_pruned")
    return "" if share is None else percent(share.value)


if __name__ == "__main__":
    main()
