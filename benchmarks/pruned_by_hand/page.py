"""The page of `benchmarks.by_hand`: what was made by hand and what was found, as tables, claims and pictures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from benchmarks.pruned_by_hand.front import front_picture
from benchmarks.setup.markdown import markdown_table, page_text, read_notes
from search.findings.columns import columns_of
from search.findings.comparison import differences
from search.findings.findings import Findings, read_findings
from search.findings.formats import markdown as table_of
from search.findings.formats import splits_of
from search.findings.leaderboard import leaderboard
from search.pictures.curves import channel_picture, confidence_picture, learning_picture, sizes_picture
from search.record.folders import RunFolder
from search.record.latency_text import LATENCY, legend
from search.record.number_text import percent, score, significant
from search.record.trial import Outcome, TrialRecord
from search.store.sql import open_store
from search.study.definition import StudyDefinition, stored_definition
from search.study.rows import BEST_F1, PARENT_NAME

STUDIES = ("imp", "nas_head", "nas_distill", "channel_ratio")
GRAFTED, DENSE = "nas_head", "channel_ratio"
"""The searches: of grafts of the rounds, and from the dense parent."""
LEVELS = "prune_levels"
TRIAL = "trial "
LAST_ROUND = "round-3"
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
    blocks = [
        "# What is done by hand, and what the search finds",
        f"```sh\n{commands}\n```",
        "Every figure comes from a database of runs; only the notes at the end are by hand.",
    ]
    for project in projects(out):
        found = {study: findings(project, study) for study in (*STUDIES, LEVELS)}
        known = {study: each for study, each in found.items() if each is not None}
        if known:
            pictures = _Pictures(page, project.name)
            blocks += [f"## {project.name}", *_compared(known, pictures), *_overlaid(known, pictures)]
            blocks += [part for study, each in known.items() for part in _tables(study, each)]
    page.write_text(page_text(blocks, read_notes(page)), encoding="utf-8")


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
    if said := legend(shown):
        yield "\n".join(said)


def _compared(found: Mapping[str, Findings], pictures: _Pictures) -> list[str]:
    """What was searched beside the best by hand, at its latency and at its accuracy; and what cutting most costs."""
    if "imp" not in found or not {GRAFTED, DENSE} & found.keys():
        return []
    hand = [row for each in found.values() for row in made_by_hand(each)]
    parent = next(row for row in found["imp"].records if row.name == PARENT_NAME)
    searched = {study: _searched(found[study]) for study in (GRAFTED, DENSE) if study in found}
    made, best = max((row for row in hand if not row.is_polished), key=accuracy), max(hand, key=accuracy)
    rows = _beside("the most accurate by hand", made, searched, parent)
    if best is not made:
        rows += _beside("by hand, trained on for as long as the search", best, searched, parent)
    rows.append(["the parent", *_figures(parent, parent)])
    few = [row for row in (*hand, *chain.from_iterable(searched.values())) if _share_cut(row) >= MOST_CUT]
    most_cut = max(few, key=accuracy, default=None)
    rows.append(["the most accurate with 95 % of parameters cut", *_or_none(most_cut, parent)])
    head = ["", "name", "mAP50-95, val", "test", "latency, ms", "times as fast as the parent", "pruned"]
    picture = front_picture(parent, hand, searched)
    blocks = [markdown_table(head, rows), _epochs(found), *pictures.shown("front", "accuracy against latency", picture)]
    if trials := searched.get(GRAFTED):
        blocks += _difference(made, max(trials, key=accuracy))
    return blocks


def _beside(
    title: str, hand: TrialRecord, searched: Mapping[str, Sequence[TrialRecord]], parent: TrialRecord
) -> list[list[str]]:
    """A network made by hand, and what each search has at its latency and at its accuracy."""
    rows = [[title, *_figures(hand, parent)]]
    for study, trials in searched.items():
        as_fast = max((row for row in trials if latency(row) <= latency(hand)), key=accuracy, default=None)
        as_good = min((row for row in trials if accuracy(row) >= accuracy(hand)), key=latency, default=None)
        rows.append([f"... `{study}`, no slower: the most accurate", *_or_none(as_fast, parent)])
        rows.append([f"... `{study}`, no less accurate: the fastest", *_or_none(as_good, parent)])
    return rows


def _difference(one: TrialRecord, other: TrialRecord) -> list[str]:
    """What `search.compare` says of two networks."""
    rows = [[each.part, each.what, each.ours, each.theirs, each.change] for each in differences(one, other)]
    head = ["", "", one.name, other.name, "change"]
    return [
        f"<details><summary>What differs between {one.name} and {other.name}</summary>",
        markdown_table(head, rows),
        "</details>",
    ]


def _overlaid(found: Mapping[str, Findings], pictures: _Pictures) -> list[str]:
    """Curves laid over each other, sizes as bars, widths of the last round and of what was found."""
    rows = _rows_to_overlay(found)
    blocks = [
        *pictures.shown("curves", "precision, recall and F1 against confidence, val", confidence_picture(rows)),
        *pictures.shown("learning", "loss and mAP50-95 against epoch", learning_picture(rows)),
        *pictures.shown("sizes", "file size, GFLOPs and latency", sizes_picture(rows)),
    ]
    cut = [row for row in rows if row.name == LAST_ROUND or row.name.startswith(f"{GRAFTED}: ")]
    for number, row in enumerate(cut):
        title = f"channels kept in {row.name}, layer by layer"
        blocks += pictures.shown(f"widths-{number}", title, channel_picture(row))
    return blocks


def _rows_to_overlay(found: Mapping[str, Findings]) -> list[TrialRecord]:
    """Parent, rounds and grafts, without their epochs of best F1, and the most accurate that each search has."""
    rows: dict[str, TrialRecord] = {}
    for study, each in found.items():
        for row in () if study == DENSE else _complete(each):
            if row.is_reference and not row.name.endswith(BEST_F1) and not row.name.startswith((TRIAL, "uniform")):
                rows.setdefault(row.name, row)
        if study in (GRAFTED, DENSE) and (trials := _searched(each)):
            best = max(trials, key=accuracy)
            rows[f"{study} {best.name}"] = replace(best, name=f"{study}: {best.name}")
    return list(rows.values())


def _epochs(found: Mapping[str, Findings]) -> str:
    """What each was trained, without the parent that all of them share."""
    hand = epochs_by_hand(stored_definition("imp", found["imp"].study.definition))
    further = [row for each in found.values() for row in made_by_hand(each) if row.is_polished]
    said = [f"by hand {hand:g} (three rounds, with sparsity and fine-tuning)"]
    said += [f"{row.name} {len(row.rungs)} more" for row in further]
    if GRAFTED in found:
        said.append(f"`{GRAFTED}` {epochs_searched(found[GRAFTED])} beside those of the rounds")
    if DENSE in found:
        said.append(f"`{DENSE}` {epochs_searched(found[DENSE])}")
    return f"Epochs of training after the parent's: {', '.join(said)}."


def epochs_searched(found: Findings) -> int:
    """Epochs of a study's trials, and of those that were trained on."""
    return sum(len(row.rungs) for row in found.records if row.name.startswith(TRIAL))


def best_by_hand(project: Path) -> tuple[str, TrialRecord]:
    """The most accurate of what was made by hand in a run folder, not trained on; and the study that has it first."""
    found = {study: each for study in STUDIES if (each := findings(project, study)) is not None}
    rows = [(study, row) for study, each in found.items() for row in made_by_hand(each) if not row.is_polished]
    return max(rows, key=lambda each: accuracy(each[1]))


def made_by_hand(found: Findings) -> list[TrialRecord]:
    """Donors, controls and what of them was trained on."""
    return [
        row
        for row in _complete(found)
        if row.is_reference and row.name != PARENT_NAME and not row.name.startswith(TRIAL)
    ]


def _searched(found: Findings) -> list[TrialRecord]:
    return [row for row in _complete(found) if row.name.startswith(TRIAL)]


def _complete(found: Findings) -> list[TrialRecord]:
    return [row for row in found.records if row.outcome is Outcome.COMPLETE and row.value("map50_95") is not None]


def _share_cut(record: TrialRecord) -> float:
    return record.value("share_pruned") or 0.0


def _or_none(record: TrialRecord | None, parent: TrialRecord) -> list[str]:
    return ["none"] + [""] * 5 if record is None else _figures(record, parent)


def _figures(record: TrialRecord, parent: TrialRecord) -> list[str]:
    on_test = record.evaluation("test")
    return [
        record.name,
        score(accuracy(record)),
        "" if on_test is None else score(on_test.map50_95),
        significant(latency(record)),
        f"{latency(parent) / latency(record):.2f}",
        percent(_share_cut(record)),
    ]
