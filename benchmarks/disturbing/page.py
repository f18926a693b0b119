"""The table of a run of chaos, and the page of all runs that were kept."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.disturbing.disturbances import OUTAGE
from benchmarks.disturbing.watched_study import RECOVERS_WITHIN_S
from benchmarks.setup.markdown import NOTES_HEADING, markdown_table, read_notes, wrap_markdown

FAULTS = {"lost": "lost", "twice": "twice", "stuck": "stuck", "wrong_fronts": "front wrong"}
"""Counts that must be zero, by their field."""


def table_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the table as lines, one row for each database."""
    header = ["database", "trials", "tried", *FAULTS.values(), "recovered in s (median, max)"]
    return markdown_table(header, [_cells(row) for row in rows]).splitlines()


def _cells(row: Mapping[str, Any]) -> list[str]:
    counts = [str(len(row[field])) for field in FAULTS]
    return [row["database"], str(row["trials"]), str(sum(row["tried"].values())), *counts, _span(row["recoveries"])]


def _span(seconds: Sequence[float]) -> str:
    return f"{statistics.median(seconds):.0f}, {max(seconds):.0f}" if seconds else "-"


def write_reliability_page(results: Path, page: Path) -> None:
    """Write the page from the kept results; what people wrote below "Notes" is kept."""
    runs = json.loads(results.read_text(encoding="utf-8"))
    lines = ["# Reliability", "", wrap_markdown(_intro(runs)), ""]
    for run in runs:
        lines += [
            f"## Seed {run['seed']}, {run['seconds'] / 60:.0f} min",
            "",
            *_kinds(run),
            *table_lines(run["rows"]),
            "",
        ]
    lines += ["## What was tried in all", "", *_tried(runs), ""]
    notes = read_notes(page)
    if notes:
        lines += [NOTES_HEADING, "", notes, ""]
    page.write_text("\n".join(lines), encoding="utf-8")


def _intro(runs: Sequence[Mapping[str, Any]]) -> str:
    trials = sum(row["trials"] for run in runs for row in run["rows"])
    return f"""
        A study of real trainings (handwritten digits, a pruned yolov5n, one epoch a trial) is worked on by two commands
        with three workers, and disturbed all the time: {trials} trials in {len(runs)} runs. What is promised, what not,
        and what is expected after each disturbance stands in [reliability](../reliability.md). This page is written by
        `python -m benchmarks.chaos --page docs/results/reliability.md`; `make chaos ARGS=--keep` adds a run. Trials
        that end their worker each time are those of one command with one or three workers (`--deadly`).
    """


def _kinds(run: Mapping[str, Any]) -> list[str]:
    """Return the paragraph that says what was tried in a run, and how, if that was not as usual."""
    only, within_s = [f"`{kind}`" for kind in run.get("only", ())], run.get("recovers_within_s", RECOVERS_WITHIN_S)
    outages = f" of up to {run['longest_outage_s']:.0f} s" if f"`{OUTAGE}`" in only else ""
    said = [f"Only {', '.join(only)}{outages}."] if only else []
    if within_s != RECOVERS_WITHIN_S:
        said.append(f"What takes longer than {within_s:.0f} s counts as stuck.")
    return [wrap_markdown(" ".join(said)), ""] if said else []


def _tried(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    total: dict[str, Counter[str]] = {}
    for run in runs:
        for row in run["rows"]:
            total.setdefault(row["database"], Counter()).update(row["tried"])
    kinds = list(dict.fromkeys(kind for counts in total.values() for kind in counts))
    rows = [[kind, *(str(counts[kind]) for counts in total.values())] for kind in sorted(kinds)]
    summed = [["in all", *(str(counts.total()) for counts in total.values())]]
    return markdown_table(["disturbance", *total], rows + summed).splitlines()
