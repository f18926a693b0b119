"""The report of a study: four files, and the leaderboard with its summary on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from search.findings.formats import csv_text, markdown, shortened, splits_of
from search.findings.study_results import read_study_results
from search.findings.terminal import terminal_table
from search.findings.time_table import terminal_times, time_table
from search.findings.training_effort import effort_text, hypervolume_history, training_effort
from search.pages.example_pictures import ExamplePictures, read_pictures
from search.record.latency_text import legend
from search.record.number_text import duration
from search.record.words import FRONT_MARK
from search.store.base import Store, StudyEntry
from spaces.display.terminal import table_console
from spaces.durable import write_text
from spaces.shown import markdown_text


def write_report(
    store: Store, study: StudyEntry, folder: Path, *, examples: ExamplePictures | None = None
) -> tuple[Path, ...]:
    """Write `report.html`, `pareto.png`, `leaderboard.md` and `leaderboard.csv`; each replaces the one before.

    Args:
        folder: Folder to write to; on the command lines `RunFolder.study(study.sampler_name)` by default.
        examples: What networks find on val; by default what lies in the folder, if anything does.

    Returns:
        The files' paths, the HTML report first.

    Raises:
        OSError: If the folder cannot be written.
    """
    from search.pages.report import html_report  # with pictures: matplotlib is not for --help
    from search.pictures.pareto import pareto_png

    found = read_study_results(store, study)
    splits = splits_of(found.records)
    title = f"{study.sampler_name}: front after {found.counted} trials"
    picture = pareto_png(
        folder / "pareto.png",
        found.records,
        found.fronts,
        objectives=study.objectives,
        limits=found.limits,
        at_least=found.at_least,
        title=title,
    )
    tables = "\n".join(f"## {markdown_text(split)}\n\n{markdown(found.rows(split))}" for split in splits)
    marks = "".join(f"\n{markdown_text(line)}\n" for line in (*legend(found.records), *found.remarks))
    examples = examples or read_pictures(folder, found.records)
    summary = f"{markdown_text(found.summary)}\n\n" if found.summary else ""
    return (
        write_text(folder / "report.html", html_report(found, picture.read_bytes(), examples=examples)),
        picture,
        write_text(folder / "leaderboard.md", f"# {markdown_text(study.sampler_name)}\n\n{summary}{tables}{marks}"),
        write_text(folder / "leaderboard.csv", csv_text(found.rows(), splits)),
    )


def print_study_results(
    store: Store,
    study: StudyEntry,
    *,
    split: str = "val",
    to: TextIO | None = None,
    more_seconds: Mapping[str, float] | None = None,
) -> None:
    """Print leaderboard, time by phase and the sentence about it; coloured and fitted to the width on a terminal.

    Args:
        split: Split whose accuracy the leaderboard shows.
        to: Standard output by default.
        more_seconds: Seconds by phase that no record holds, such as those of `data`.
    """
    console = table_console(to)
    found = read_study_results(store, study, curves=False)
    rows = found.rows(split)
    shown = shortened(rows)
    console.print(terminal_table(shown, f"{study.sampler_name} ({split})"), crop=False)
    if len(shown) < len(rows):
        console.print(f"{len(rows) - len(shown)} more trials are in leaderboard.csv")
    marks = [f"{FRONT_MARK} on the Pareto front", "bold: best of its column", *legend([row.record for row in shown])]
    console.print("\n".join(["; ".join(marks), *found.remarks]) + "\n")
    if found.latency_line:
        console.print(f"latencies: {found.latency_line}\n")
    console.print(f"trials: {effort_text(training_effort(found.records))}")
    for last in hypervolume_history(found.records, found.fronts)[-1:]:
        spent = f"{last.trials} trials and {duration(last.training_s)} of training"
        console.print(f"hypervolume of the front: {last.hypervolume:.4g} after {spent}\n")
    console.print(terminal_times(time_table(found.records, since=study.created, more_seconds=more_seconds)))
    if found.summary:
        console.print(found.summary, style="bold", highlight=False, markup=False)
