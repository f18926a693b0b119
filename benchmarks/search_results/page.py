"""The results page of the benchmarks of search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.real_studies.equal_time_figures import equal_time_table
from benchmarks.search_results.pictures import draw_end_to_end, draw_stopped_members, draw_trainings
from benchmarks.search_results.texts import (
    FINAL_TRAININGS,
    SEARCH_COMMANDS,
    end_to_end_text,
    own_table_text,
    published_tables_text,
    stopping_text,
    suggestion_text,
    surrogate_text,
)
from benchmarks.searching.methods import OURS
from benchmarks.searching.suggestion_time import suggestion_sentence
from benchmarks.searching.surrogate_search import surrogate_table
from benchmarks.searching.table_figures import MIN_RUNS, REGRET_AFTER, methods_of, needed_table
from benchmarks.setup.markdown import markdown_table, page_text, read_notes, wrap_markdown
from benchmarks.setup.results import write_json
from benchmarks.stopping.figures import stopping_tables

OWN_PROBLEMS = "digits"
"""Beginning of the names of problems on our own table."""
PICTURE_SUFFIXES = {"tables": "", "rungs": "-rungs", "end_to_end": "-end-to-end"}
"""Suffix of a picture's file name, after the name of the page, by part of the figures."""


def write_search_page(figures: Mapping[str, Any], page: Path) -> None:
    """Write the page, its pictures and all figures as one JSON file; the notes at the page's end are kept."""
    text = search_page_text(figures, _draw(figures, page), read_notes(page))
    write_json(page.with_suffix(".json"), figures)
    page.write_text(text, encoding="utf-8")


def _draw(figures: Mapping[str, Any], page: Path) -> dict[str, str]:
    """Draw the pictures that there are figures for; return the names of the files by part."""
    files = {part: page.with_name(f"{page.stem}{suffix}.png") for part, suffix in PICTURE_SUFFIXES.items()}
    draw_trainings(figures["tables"], files["tables"])
    if "rungs" in figures:
        draw_stopped_members(figures["rungs"]["lost"], files["rungs"])
    if "end_to_end" in figures:
        draw_end_to_end(figures["end_to_end"], files["end_to_end"])
    return {part: file.name for part, file in files.items()}


def search_page_text(figures: Mapping[str, Any], pictures: Mapping[str, str], notes: str) -> str:
    """Return the whole page.

    Args:
        figures: Figures of the tables, and of the other benchmarks that were run.
        pictures: Names of the files beside the page, by part.
    """
    tables = figures["tables"]
    published = {name: each for name, each in tables.items() if not name.startswith(OWN_PROBLEMS)}
    own = {name: each for name, each in tables.items() if name.startswith(OWN_PROBLEMS)}
    blocks = [
        "# Search: the number of trainings that it takes",
        SEARCH_COMMANDS,
        "The last command wrote this page from the others' figures; only the notes at its end are written by hand.",
        *(_published_tables(published, pictures["tables"]) if published else ()),
        *(_own_table(own) if own else ()),
        *_other_benchmarks(figures, pictures),
        "## With 95 % intervals",
        f"Intervals are given for {MIN_RUNS} runs or more.",
        _interval_table(tables),
    ]
    return page_text(blocks, notes)


def _published_tables(figures: Mapping[str, Any], picture: str) -> list[str]:
    return [
        "## Published tables",
        wrap_markdown(published_tables_text(figures)),
        needed_table(figures),
        f"![share of the best hypervolume against trainings]({picture})",
    ]


def _own_table(figures: Mapping[str, Any]) -> list[str]:
    methods = methods_of(figures)
    regrets = [[method, *(_regret(each.get(method)) for each in figures.values())] for method in methods]
    times = [[method, *(_times(each.get(method)) for each in figures.values())] for method in methods if method != OURS]
    return [
        "## Our own table",
        wrap_markdown(own_table_text(figures)),
        needed_table(figures),
        markdown_table([f"hypervolume regret after {REGRET_AFTER} trainings", *figures], regrets),
        markdown_table(["seconds of training to that, as a multiple of ours", *figures], times),
    ]


def _other_benchmarks(figures: Mapping[str, Any], pictures: Mapping[str, str]) -> list[str]:
    """Return the sections of the other benchmarks that were run."""
    blocks: list[str] = []
    if "surrogate" in figures:
        blocks += ["## The space of our own table", wrap_markdown(surrogate_text())]
        blocks.append(surrogate_table(figures["surrogate"]))
    if "suggestion" in figures:
        text = f"{suggestion_text()} {suggestion_sentence(figures['suggestion'])}"
        blocks += ["## One suggestion", wrap_markdown(text)]
    if "rungs" in figures:
        blocks += ["## Stopping early", wrap_markdown(stopping_text()), *stopping_tables(figures["rungs"])]
        blocks.append(f"![stopped front members, by latency]({pictures['rungs']})")
    if "end_to_end" in figures:
        blocks += ["## End to end", wrap_markdown(end_to_end_text()), equal_time_table(figures["end_to_end"])]
        blocks.append(f"![hypervolume against seconds of training]({pictures['end_to_end']})")
    return blocks


def _regret(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return ""
    fewer = f" ({FINAL_TRAININGS})" if found["trainings"] < REGRET_AFTER else ""
    return f"{100 * found['regret']:.1f} %{fewer}"


def _times(found: Mapping[str, Any] | None) -> str:
    if found is None or not found["times_ours"]:
        return ""
    median, *interval = (f"{each:.1f}" for each in found["times_ours"])
    return f"{median} ({interval[0]} to {interval[1]})" if interval else median


def _interval_table(figures: Mapping[str, Any]) -> str:
    lines = ["| problem | method | runs | to 98 % | to 99 % |", "|---|---|---:|---:|---:|"]
    for problem, methods in figures.items():
        for method, found in methods.items():
            cells = [_with_interval(needed, found["trainings"]) for needed in found["needed"].values()]
            lines.append(f"| {problem} | {method} | {found['runs']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _with_interval(needed: Sequence[float | None], trainings: int) -> str:
    median, *interval = (f"> {trainings}" if value is None else f"{value:g}" for value in needed)
    return median if set(interval) <= {median} else f"{median} ({interval[0]} to {interval[1]})"
