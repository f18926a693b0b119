"""The page of `benchmarks.by_hand`: tables and pictures of networks made by hand and of searched ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from benchmarks.pruned_by_hand.front_picture import draw_front
from benchmarks.pruned_by_hand.made_networks import (
    COMPARED_STUDIES,
    DENSE_SEARCH,
    GRAFT_SEARCH,
    LEVELS_STUDY,
    ROUNDS_STUDY,
    TRIAL_PREFIX,
    accuracy_of,
    complete_records,
    data_set_projects,
    epochs_by_hand,
    epochs_searched,
    find_findings,
    found_by_search,
    latency_ms_of,
    made_by_hand,
)
from benchmarks.setup.markdown import markdown_table, page_text, read_notes
from search.findings.columns import columns_of
from search.findings.comparison import record_differences
from search.findings.formats import markdown as table_of
from search.findings.formats import splits_of
from search.findings.leaderboard import leaderboard
from search.findings.study_results import StudyResults
from search.pictures.curves import channel_picture, confidence_picture, learning_picture, sizes_picture
from search.record.latency_text import legend
from search.record.number_text import percent, score, significant
from search.record.trial import TrialRecord
from search.study.definition import stored_definition
from search.study.rows import BEST_F1, PARENT_NAME

LAST_ROUND = "round-3"
MIN_SHARE_CUT = 0.94
"""Minimum share of cut parameters that counts as 95 %: widths have steps."""


def write_by_hand_page(out: Path, page: Path, commands: str) -> None:
    """Write the page from the databases alone, and its pictures into a folder beside it; the notes are kept."""
    blocks = [
        "# Pruning by hand, compared with the search",
        f"```sh\n{commands}\n```",
        "Every figure comes from a database of runs; only the notes at the end are written by hand.",
    ]
    for project in data_set_projects(out):
        found = {study: find_findings(project, study) for study in (*COMPARED_STUDIES, LEVELS_STUDY)}
        known = {study: each for study, each in found.items() if each is not None}
        if known:
            pictures = _Pictures(page, project.name)
            blocks += [f"## {project.name}", *_comparison(known, pictures), *_pictures_of(known, pictures)]
            blocks += [part for study, each in known.items() for part in _tables(study, each)]
    page.write_text(page_text(blocks, read_notes(page)), encoding="utf-8")


@dataclass(frozen=True)
class _Pictures:
    """The pictures of a data set: files in a folder beside the page, and the lines that show them."""

    page: Path
    project: str

    def add(self, name: str, title: str, image: bytes | None) -> list[str]:
        """Write a picture and return its line of Markdown; nothing if there is no picture."""
        if image is None:
            return []
        folder = self.page.with_suffix("")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.project}-{name}.png").write_bytes(image)
        return [f"![{title}]({folder.name}/{self.project}-{name}.png)"]


def _tables(study: str, found: StudyResults) -> Iterable[str]:
    shown = [row for row in complete_records(found) if row.is_reference or row.name in found.front]
    for split in splits_of(shown):
        yield f"### {study}, {split}"
        yield table_of(
            leaderboard(shown, found.front, split=split, at_best_f1=True), columns_of(shown, at_best_f1=True)
        )
    if marks := legend(shown):
        yield "\n".join(marks)


def _comparison(found: Mapping[str, StudyResults], pictures: _Pictures) -> list[str]:
    """Compare the best network by hand with searched ones of its latency and of its accuracy, and with small ones."""
    if ROUNDS_STUDY not in found or not {GRAFT_SEARCH, DENSE_SEARCH} & found.keys():
        return []
    hand = [row for each in found.values() for row in made_by_hand(each)]
    parent = next(row for row in found[ROUNDS_STUDY].records if row.name == PARENT_NAME)
    searched = {study: found_by_search(found[study]) for study in (GRAFT_SEARCH, DENSE_SEARCH) if study in found}
    made = max((row for row in hand if not row.is_polished), key=accuracy_of)
    best = max(hand, key=accuracy_of)
    rows = _compare_with_searches("the most accurate by hand", made, searched, parent)
    if best is not made:
        rows += _compare_with_searches("by hand, polished for as many epochs as the search", best, searched, parent)
    rows.append(["the parent", *_figures(parent, parent)])
    small = [row for row in (*hand, *chain.from_iterable(searched.values())) if _share_cut(row) >= MIN_SHARE_CUT]
    best_small = max(small, key=accuracy_of, default=None)
    rows.append(["the most accurate with 95 % of parameters cut", *_figures_or_none(best_small, parent)])
    head = ["", "name", "mAP50-95, val", "test", "latency, ms", "speed-up over the parent", "pruned"]
    picture = draw_front(parent, hand, searched)
    blocks = [markdown_table(head, rows), _epochs(found), *pictures.add("front", "accuracy against latency", picture)]
    if trials := searched.get(GRAFT_SEARCH):
        blocks += _differences(made, max(trials, key=accuracy_of))
    return blocks


def _compare_with_searches(
    title: str, hand: TrialRecord, searched: Mapping[str, Sequence[TrialRecord]], parent: TrialRecord
) -> list[list[str]]:
    """Return the rows of a network by hand, and of the best one of each search at its latency and at its accuracy."""
    rows = [[title, *_figures(hand, parent)]]
    for study, trials in searched.items():
        fast = [row for row in trials if latency_ms_of(row) <= latency_ms_of(hand)]
        accurate = [row for row in trials if accuracy_of(row) >= accuracy_of(hand)]
        most_accurate = max(fast, key=accuracy_of, default=None)
        fastest = min(accurate, key=latency_ms_of, default=None)
        rows.append([f"... `{study}`, no slower: the most accurate", *_figures_or_none(most_accurate, parent)])
        rows.append([f"... `{study}`, no less accurate: the fastest", *_figures_or_none(fastest, parent)])
    return rows


def _differences(one: TrialRecord, other: TrialRecord) -> list[str]:
    """Return the comparison of two networks that `search.compare` prints."""
    rows = [[each.part, each.name, each.first, each.second, each.change] for each in record_differences(one, other)]
    head = ["", "", one.name, other.name, "change"]
    return [
        f"<details><summary>Differences between {one.name} and {other.name}</summary>",
        markdown_table(head, rows),
        "</details>",
    ]


def _pictures_of(found: Mapping[str, StudyResults], pictures: _Pictures) -> list[str]:
    """Draw curves of several networks, their sizes as bars, and the widths of the last round and of the best graft."""
    rows = _rows_to_draw(found)
    blocks = [
        *pictures.add("curves", "precision, recall and F1 against confidence, val", confidence_picture(rows)),
        *pictures.add("learning", "loss and mAP50-95 against epoch", learning_picture(rows)),
        *pictures.add("sizes", "file size, GFLOPs and latency", sizes_picture(rows)),
    ]
    cut = [row for row in rows if row.name == LAST_ROUND or row.name.startswith(f"{GRAFT_SEARCH}: ")]
    for number, row in enumerate(cut):
        title = f"channels kept in {row.name}, layer by layer"
        blocks += pictures.add(f"widths-{number}", title, channel_picture(row))
    return blocks


def _rows_to_draw(found: Mapping[str, StudyResults]) -> list[TrialRecord]:
    """Return parent, rounds and grafts, without their rows of the best F1, and the most accurate of each search."""
    rows: dict[str, TrialRecord] = {}
    for study, each in found.items():
        for row in () if study == DENSE_SEARCH else complete_records(each):
            unwanted = row.name.endswith(BEST_F1) or row.name.startswith((TRIAL_PREFIX, "uniform"))
            if row.is_reference and not unwanted:
                rows.setdefault(row.name, row)
        if study in (GRAFT_SEARCH, DENSE_SEARCH) and (trials := found_by_search(each)):
            best = max(trials, key=accuracy_of)
            rows[f"{study} {best.name}"] = replace(best, name=f"{study}: {best.name}")
    return list(rows.values())


def _epochs(found: Mapping[str, StudyResults]) -> str:
    """Return a sentence about the epochs of each, without the parent's, which all of them share."""
    by_hand = epochs_by_hand(stored_definition(ROUNDS_STUDY, found[ROUNDS_STUDY].study.definition))
    polished = [row for each in found.values() for row in made_by_hand(each) if row.is_polished]
    parts = [f"by hand {by_hand:g} (three rounds, with sparsity and fine-tuning)"]
    parts += [f"{row.name} {len(row.rungs)} more" for row in polished]
    if GRAFT_SEARCH in found:
        parts.append(f"`{GRAFT_SEARCH}` {epochs_searched(found[GRAFT_SEARCH])} in addition to those of the rounds")
    if DENSE_SEARCH in found:
        parts.append(f"`{DENSE_SEARCH}` {epochs_searched(found[DENSE_SEARCH])}")
    return f"Epochs of training after the parent's: {', '.join(parts)}."


def _share_cut(record: TrialRecord) -> float:
    return record.value("share_pruned") or 0.0


def _figures_or_none(record: TrialRecord | None, parent: TrialRecord) -> list[str]:
    return ["none"] + [""] * 5 if record is None else _figures(record, parent)


def _figures(record: TrialRecord, parent: TrialRecord) -> list[str]:
    on_test = record.evaluation("test")
    return [
        record.name,
        score(accuracy_of(record)),
        "" if on_test is None else score(on_test.map50_95),
        significant(latency_ms_of(record)),
        f"{latency_ms_of(parent) / latency_ms_of(record):.2f}",
        percent(_share_cut(record)),
    ]
