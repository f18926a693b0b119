"""The page of `benchmarks.by_hand`: what was made by hand and what was found, as tables, claims and pictures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.by_hand_front import front_picture
from benchmarks.finetuning import markdown
from benchmarks.latency_page import NOTES, notes_of
from search.comparison import differences
from search.digits import percent, score, significant
from search.findings import Findings, read_findings
from search.folders import RunFolder
from search.latency_text import LATENCY, legend
from search.leaderboard import columns_of, leaderboard
from search.leaderboard_formats import markdown as table_of
from search.leaderboard_formats import splits_of
from search.overlays import confidence_picture, learning_picture, sizes_picture
from search.record import Outcome, TrialRecord
from search.store.sql import open_store
from search.study import StudyDefinition, stored_definition
from search.study_rows import BEST_F1, PARENT_NAME
from search.trial_pictures import channel_picture

BY_HAND = ("imp", "nas_head", "nas_distill")
SEARCH = "channel_ratio"
LEVELS = "prune_levels"
MOST_CUT = 0.94
"""Share of parameters that counts as 95 %: widths have steps."""


def findings(project: Path, study: str) -> Findings | None:
    """What a run folder's database says of a study; None if it was not run."""
    store = open_store(RunFolder(project).default_storage)
    try:
        entry = store.latest_study(study)
        return None if entry is None else read_findings(store, entry)
    finally:
        store.close()


def projects(out: Path) -> list[Path]:
    """A run folder for each data set."""
    return sorted(path for path in out.iterdir() if path.is_dir())


def epochs_by_hand(study: StudyDefinition) -> float:
    """Epochs that the rounds of `imp` are trained, with sparsity and without."""
    recipes = [study.recipe_of(row) for row in study.donors] + [study.sparse_recipe_of(row) for row in study.donors]
    return sum(float(recipe["epochs"]) for recipe in recipes)


def accuracy(record: TrialRecord) -> float:
    """MAP50-95 on val."""
    return record.value("map50_95") or 0.0


def latency(record: TrialRecord) -> float:
    """Milliseconds."""
    return record.value(LATENCY) or math.inf


def write_page(out: Path, page: Path, commands: str) -> None:
    """Write the page from the databases alone, and its pictures beside it; the notes at its end are kept."""
    before = page.read_text(encoding="utf-8") if page.exists() else ""
    blocks = [
        "# What is done by hand, and what the search finds",
        f"```sh\n{commands}\n```",
        "Every figure comes from a database of runs; only the notes at the end are by hand.",
    ]
    for project in projects(out):
        found = {study: findings(project, study) for study in (*BY_HAND, SEARCH, LEVELS)}
        known = {study: each for study, each in found.items() if each is not None}
        if known:
            pictures = _Pictures(page, project.name)
            blocks += [f"## {project.name}", *_compared(known, pictures), *_overlaid(known, pictures)]
            blocks += [part for study, each in known.items() for part in _tables(study, each)]
    page.write_text("\n\n".join([*blocks, NOTES, notes_of(before) or "None yet."]) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class _Pictures:
    """Where a data set's pictures go, and how the page shows them."""

    page: Path
    project: str

    def shown(self, what: str, title: str, image: bytes | None) -> list[str]:
        """A line of Markdown, or nothing where there is no picture."""
        if image is None:
            return []
        folder = self.page.with_suffix("")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.project}-{what}.png").write_bytes(image)
        return [f"![{title}]({folder.name}/{self.project}-{what}.png)"]


def _tables(study: str, found: Findings) -> Iterable[str]:
    shown = [row for row in _complete(found) if row.is_reference or row.name in found.front]
    for split in splits_of(shown):
        yield f"### {study}, {split}"
        yield table_of(
            leaderboard(shown, found.front, split=split, at_best_f1=True), columns_of(shown, at_best_f1=True)
        )
    yield "\n".join(legend(shown))


def _compared(found: Mapping[str, Findings], pictures: _Pictures) -> list[str]:
    """The search's front beside the best by hand, at its latency and at its accuracy; and what cutting most costs."""
    if SEARCH not in found or "imp" not in found:
        return []
    hand = _all_by_hand(found)
    searched = [row for row in _complete(found[SEARCH]) if row.is_polished or not row.is_reference]
    best = max(hand, key=accuracy)
    rows = [["the most accurate by hand", *_figures(best, best)]]
    as_fast = max((each for each in searched if latency(each) <= latency(best)), key=accuracy, default=None)
    as_good = min((each for each in searched if accuracy(each) >= accuracy(best)), key=latency, default=None)
    rows.append(["the search's most accurate that is no slower", *_or_none(as_fast, best)])
    rows.append(["the search's fastest that is no less accurate", *_or_none(as_good, best)])
    parent = next(row for row in found["imp"].records if row.name == PARENT_NAME)
    rows.append(["the parent", *_figures(parent, best)])
    few = [row for row in (*hand, *_complete(found[SEARCH])) if _share_cut(row) >= MOST_CUT]
    rows.append(
        ["the most accurate with 95 % of parameters cut", *_or_none(max(few, key=accuracy, default=None), best)]
    )
    head = ["", "name", "mAP50-95, val", "test", "latency, ms", "of the best by hand's", "pruned"]
    picture = front_picture(parent, hand, searched)
    blocks = [markdown(head, rows), _epochs(found), *pictures.shown("front", "accuracy against latency", picture)]
    if as_good or as_fast:
        blocks += _difference(best, as_good or as_fast)  # type: ignore[arg-type]  # one of them is there
    return blocks


def _difference(one: TrialRecord, other: TrialRecord) -> list[str]:
    """What `search.compare` says of two networks."""
    rows = [[each.part, each.what, each.ours, each.theirs, each.change] for each in differences(one, other)]
    head = ["", "", one.name, other.name, "change"]
    return [
        f"<details><summary>What differs between {one.name} and {other.name}</summary>",
        markdown(head, rows),
        "</details>",
    ]


def _overlaid(found: Mapping[str, Findings], pictures: _Pictures) -> list[str]:
    """Curves laid over each other, sizes as bars, widths of the network that was cut most."""
    rows = _rows_to_overlay(found)
    cut = [row for row in rows if row.spec is not None and not row.spec.is_whole]
    blocks = [
        *pictures.shown("curves", "precision, recall and F1 against confidence, val", confidence_picture(rows)),
        *pictures.shown("learning", "loss and mAP50-95 against epoch", learning_picture(rows)),
        *pictures.shown("sizes", "file size, GFLOPs and latency", sizes_picture(rows)),
    ]
    if cut:
        last = max(cut, key=_share_cut)
        blocks += pictures.shown("widths", f"channels kept in {last.name}, layer by layer", channel_picture(last))
    return blocks


def _rows_to_overlay(found: Mapping[str, Findings]) -> list[TrialRecord]:
    """Of each study its rows, without the epochs of best F1 and those that another study has too."""
    rows: dict[str, TrialRecord] = {}
    for study, each in found.items():
        for row in _complete(each):
            wanted = row.is_polished or row.name in each.front if study == SEARCH else row.is_reference
            if wanted and not row.name.endswith(BEST_F1):
                rows.setdefault(row.name, row)
    return list(rows.values())


def _epochs(found: Mapping[str, Findings]) -> str:
    """What each study was trained, without the parent that all of them share."""
    hand = epochs_by_hand(stored_definition("imp", found["imp"].study.definition))
    searched = [row for row in found[SEARCH].records if row.is_polished or not row.is_reference]
    epochs = sum(len(row.rungs) for row in searched)
    return (
        f"Epochs of training after the parent's: by hand {hand:g} (three rounds, with sparsity and fine-tuning), "
        f"{hand + _rungs(found, 'nas_final'):g} with the graft; in the search {epochs} "
        "(trials and longer training of some of the front)."
    )


def _rungs(found: Mapping[str, Findings], name: str) -> int:
    rows = found["nas_head"].records if "nas_head" in found else ()
    return next((len(row.rungs) for row in rows if row.name == name), 0)


def best_by_hand(project: Path) -> TrialRecord:
    """The most accurate of what was made by hand in a run folder."""
    found = {study: findings(project, study) for study in BY_HAND}
    return max(_all_by_hand({study: each for study, each in found.items() if each is not None}), key=accuracy)


def _all_by_hand(found: Mapping[str, Findings]) -> list[TrialRecord]:
    return [row for study in BY_HAND if study in found for row in _made_by_hand(found[study])]


def _made_by_hand(found: Findings) -> list[TrialRecord]:
    rows = [row for row in _complete(found) if row.is_reference and not row.is_polished]
    return [row for row in rows if row.name != PARENT_NAME]


def _complete(found: Findings) -> list[TrialRecord]:
    return [row for row in found.records if row.outcome is Outcome.COMPLETE and row.value("map50_95") is not None]


def _share_cut(record: TrialRecord) -> float:
    return record.value("share_pruned") or 0.0


def _or_none(record: TrialRecord | None, best: TrialRecord) -> Sequence[str]:
    return ["none"] + [""] * 5 if record is None else _figures(record, best)


def _figures(record: TrialRecord, best: TrialRecord) -> list[str]:
    on_test = record.evaluation("test")
    return [
        record.name,
        score(accuracy(record)),
        "" if on_test is None else score(on_test.map50_95),
        significant(latency(record)),
        f"{latency(record) / latency(best):.2f}",
        percent(_share_cut(record)),
    ]
