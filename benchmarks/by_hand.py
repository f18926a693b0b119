"""What pruning by hand gives on a data set, and what the search gives for as many epochs.

    python -m benchmarks.by_hand --out runs/by_hand --data bccd/data.yaml --model yolov8n.safetensors --imgsz 160
    python -m benchmarks.by_hand --out runs/by_hand --levels
    python -m benchmarks.by_hand --out runs/by_hand --page docs/results/by_hand.md

The first line, once for each data set: `imp` (rounds by hand), `nas_head` and `nas_distill` (the graft made by hand, a
few trials beside it), then `channel_ratio` for no more epochs of training than the rounds took: most of them in trials,
the rest in longer training of the most accurate networks of its front. The second runs `prune_levels` on digits. Kill
them, and the same command goes on. The third writes the page from the databases alone.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.finetuning import markdown
from benchmarks.latency_page import NOTES, notes_of
from search.digits import percent, score, significant
from search.findings import Findings, read_findings
from search.folders import RunFolder
from search.front import non_dominated
from search.latency_text import LATENCY
from search.leaderboard import columns_of, leaderboard
from search.leaderboard_formats import markdown as table_of
from search.leaderboard_formats import splits_of
from search.record import Outcome, TrialRecord
from search.store.base import StudyEntry
from search.store.sql import open_store
from search.study import StudyDefinition, load_study, stored_definition
from search.study_rows import BEST_F1, PARENT_NAME

STUDIES = ("imp", "nas_head", "nas_distill", "channel_ratio")
SEARCH = "channel_ratio"
LEVELS = "prune_levels"
SCALE, EPOCHS, BATCH = 0.03, 8, 16
"""Share of the hand's epochs that is trained, and epochs and batch of a trial."""
GRAFTS = 4
"""Trials of `nas_head`: each is a graft beside the one made by hand."""
IN_TRIALS = 0.6
"""Share of the search's epochs that goes into trials; the rest polishes."""
POLISHED_MEMBERS = 3
MOST_CUT = 0.94
"""Share of parameters that counts as 95 %: widths have steps."""
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
        found = self.findings(SEARCH)
        assert found is not None
        trials = [record for record in found.records if not record.is_reference]
        left = budget - sum(len(record.rungs) for record in trials)
        members = sorted(_front(found.study, trials), key=accuracy, reverse=True)[:POLISHED_MEMBERS]
        names = ",".join(record.name for record in members)
        self._command("search.polish", SEARCH, "--records", names, "--epochs", str(int(left // len(members))))

    def confirm(self) -> None:
        """Time each study's front again, side by side."""
        for study in STUDIES:
            if self.findings(study) is not None:
                self._command("search.confirm", study)

    def _command(self, module: str, study: str, *more: str) -> None:
        fixed = [sys.executable, "-m", module, "--study", study, "--project", str(self.project)]
        subprocess.run([*fixed, *more], check=True)

    def findings(self, study: str) -> Findings | None:
        """What its database says of a study; None if it was not run."""
        store = open_store(RunFolder(self.project).default_storage)
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
    elif options.confirm:
        for project in _projects(options.out):
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
    budget, parent = epochs_by_hand(by_hand), json.dumps(by_hand.parent.recipe.as_plain())
    count = max(4, int(IN_TRIALS * budget / EPOCHS))
    where.run(SEARCH, "-o", f"parent.recipe={parent}", "-o", f"controls={CONTROLS}", *trials, "--n-trials", str(count))
    where.polish(budget)


def _projects(out: Path) -> list[Path]:
    return sorted(path for path in out.iterdir() if path.is_dir())


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


def epochs_by_hand(study: StudyDefinition) -> float:
    """Epochs that the rounds of `imp` are trained, with sparsity and without."""
    recipes = [study.recipe_of(row) for row in study.donors] + [study.sparse_recipe_of(row) for row in study.donors]
    return sum(float(recipe["epochs"]) for recipe in recipes)


def page(out: Path, notes: str) -> str:
    """The whole page, from the databases."""
    blocks = [
        "# What is done by hand, and what the search finds",
        f"```sh\n{_commands()}\n```",
        "Every table comes from a database of runs; only the notes at the end are by hand.",
    ]
    for project in _projects(out):
        found = {study: Where(project).findings(study) for study in (*STUDIES, LEVELS)}
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


def _claim(found: Mapping[str, Findings]) -> list[str]:
    """The search's front beside the best by hand, at its latency and at its accuracy; and what cutting most costs."""
    if SEARCH not in found or "imp" not in found:
        return []
    hand = [row for study in STUDIES if study != SEARCH and study in found for row in _by_hand(found[study])]
    searched = [row for row in _scored(found[SEARCH]) if row.is_polished or not row.is_reference]
    best = max(hand, key=accuracy)
    rows = [["the most accurate by hand", *_figures(best, best)]]
    as_fast = [each for each in searched if latency(each) <= latency(best)]
    as_good = [each for each in searched if accuracy(each) >= accuracy(best)]
    if as_fast:
        rows.append(["the search's most accurate, no slower", *_figures(max(as_fast, key=accuracy), best)])
    if as_good:
        rows.append(["the search's fastest, no less accurate", *_figures(min(as_good, key=latency), best)])
    parent = next(row for row in found["imp"].records if row.name == PARENT_NAME)
    rows.append(["the parent", *_figures(parent, best)])
    few = [row for row in (*hand, *_scored(found[SEARCH])) if (row.value("share_pruned") or 0.0) >= MOST_CUT]
    if few:
        rows.append(["the most accurate with 95 % of parameters cut", *_figures(max(few, key=accuracy), best)])
    head = ["", "name", "mAP50-95, val", "test", "latency, ms", "of the best by hand's", "pruned"]
    return [markdown(head, rows), _epochs(found)]


def _epochs(found: Mapping[str, Findings]) -> str:
    """What each study was trained, without the parent that all of them share."""
    spent = {
        study: sum(len(row.rungs) for row in each.records if row.name != PARENT_NAME and not row.name.endswith(BEST_F1))
        for study, each in found.items()
    }
    hand = epochs_by_hand(stored_definition("imp", found["imp"].study.definition))
    trials = sum(len(row.rungs) for row in found[SEARCH].records if row.is_polished or not row.is_reference)
    return (
        f"Epochs of training after the parent's: by hand {hand:g} (three rounds, sparsity and fine-tuning), in the "
        f"search {trials} (trials and polishing). With their controls the studies took "
        + ", ".join(f"{epochs} in {study}" for study, epochs in spent.items())
        + "; training with sparsity is not in that count."
    )


def _by_hand(found: Findings) -> list[TrialRecord]:
    rows = [row for row in _scored(found) if row.is_reference and not row.is_polished]
    return [row for row in rows if row.name != PARENT_NAME]


def _scored(found: Findings) -> list[TrialRecord]:
    return [row for row in found.records if row.outcome is Outcome.COMPLETE and row.value("map50_95") is not None]


def _front(study: StudyEntry, records: Sequence[TrialRecord]) -> list[TrialRecord]:
    complete = [record for record in records if record.outcome is Outcome.COMPLETE]
    kept = non_dominated([(accuracy(each), latency(each)) for each in complete], [way for _, way in study.objectives])
    return [complete[place] for place in kept]


def accuracy(record: TrialRecord) -> float:
    """MAP50-95 on val."""
    return record.value("map50_95") or 0.0


def latency(record: TrialRecord) -> float:
    """Milliseconds."""
    return record.value(LATENCY) or math.inf


def _figures(record: TrialRecord, best: TrialRecord) -> list[str]:
    on_test = record.evaluation("test")
    return [
        record.name,
        score(accuracy(record)),
        "" if on_test is None else score(on_test.map50_95),
        significant(latency(record)),
        f"{latency(record) / latency(best):.2f}",
        percent(record.value("share_pruned") or 0.0),
    ]


if __name__ == "__main__":
    main()
