"""`python -m search.report --study nas_head`: the leaderboard, where the time went, and the report's files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from rich.console import Console

from search.cli.command import Exit, add_study_options, run_command, run_folder
from search.cli.durations import readable
from search.cli.files import write_text
from search.cli.stored_study import existing_store, find_study
from search.findings.findings import read_findings
from search.findings.formats import FRONT_MARK, csv_text, markdown, shortened, splits_of, terminal_table
from search.findings.time_table import terminal_times, time_table
from search.findings.training_effort import effort, growth, in_words
from search.pages.report import html_report
from search.pictures.pareto import pareto_png
from search.record.confirmation import summary
from search.record.latency_text import legend
from search.store.base import Store, StudyEntry
from search.study.faults import DefinitionError

PLAIN_WIDTH = 140
"""Columns of a table that goes to a file or a pipe."""


def write_report(store: Store, study: StudyEntry, folder: Path) -> tuple[Path, ...]:
    """Write `report.html`, `pareto.png`, `leaderboard.md` and `leaderboard.csv`; each replaces the one before.

    Args:
        folder: Where to; `RunFolder.study(study.sampler_name)` by default on the command lines.

    Returns:
        The files' paths, the HTML report first.

    Raises:
        OSError: If the folder cannot be written.
    """
    found = read_findings(store, study)
    splits = splits_of(found.records)
    title = f"{study.sampler_name}: front after {found.counted} trials"
    picture = pareto_png(
        folder / "pareto.png",
        found.records,
        found.fronts,
        objectives=study.objectives,
        limits=found.limits,
        title=title,
    )
    tables = "\n".join(f"## {split}\n\n{markdown(found.rows(split))}" for split in splits)
    marks = "".join(f"\n{line}\n" for line in legend(found.records))
    return (
        write_text(folder / "report.html", html_report(found, picture.read_bytes())),
        picture,
        write_text(folder / "leaderboard.md", f"# {study.sampler_name}\n\n{tables}{marks}"),
        write_text(folder / "leaderboard.csv", csv_text(found.rows(), splits)),
    )


def print_findings(
    store: Store,
    study: StudyEntry,
    *,
    split: str = "val",
    to: TextIO | None = None,
    more_seconds: Mapping[str, float] | None = None,
) -> None:
    """Print the leaderboard and where the time went; coloured and fitted to the width on a terminal.

    Args:
        store: Where the study is.
        study: What to print.
        split: Whose accuracy the leaderboard shows.
        to: Standard output by default.
        more_seconds: Time by phase that no record knows of, such as `data`.
    """
    stream = to or sys.stdout
    console = Console(file=stream, width=None if stream.isatty() else PLAIN_WIDTH, highlight=False)
    found = read_findings(store, study, curves=False)
    rows = found.rows(split)
    shown = shortened(rows)
    console.print(terminal_table(shown, f"{study.sampler_name} ({split})"), crop=False)
    if len(shown) < len(rows):
        console.print(f"{len(rows) - len(shown)} more trials are in leaderboard.csv")
    marks = [f"{FRONT_MARK} on the Pareto front", "bold: best of its column", *legend([row.record for row in shown])]
    console.print("; ".join(marks) + "\n")
    if found.confirmation is not None:
        console.print(f"finalists: {summary(found.confirmation)}\n")
    console.print(f"trials: {in_words(effort(found.records))}")
    for grown in growth(found.records, found.fronts)[-1:]:
        spent = f"{grown.trials} trials and {readable(grown.training_s)} of training"
        console.print(f"hypervolume of the front: {grown.hypervolume:.4g} after {spent}\n")
    console.print(terminal_times(time_table(found.records, since=study.created, more_seconds=more_seconds)))


def main(arguments: list[str]) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m search.report", description=__doc__)
    add_study_options(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to write to (default: the study's run folder)")
    parser.add_argument("--split", default="val", help="split whose accuracy is printed (default: %(default)s)")
    parser.add_argument(
        "--csv", action="store_true", help="print the leaderboard as CSV, all splits, and write nothing"
    )
    options = parser.parse_args(arguments)
    with existing_store(options) as store:
        study = find_study(store, options.study)
        found = read_findings(store, study, curves=False)
        splits = splits_of(found.records)
        if options.split not in splits:
            raise DefinitionError(f"no split '{options.split}' was evaluated; there are: {', '.join(splits)}")
        if options.csv:
            sys.stdout.write(csv_text(found.rows(), splits))
            return Exit.DONE
        print_findings(store, study, split=options.split)
        for path in write_report(store, study, options.out or run_folder(options).study(study.sampler_name)):
            print(path)
    return Exit.DONE


if __name__ == "__main__":
    sys.exit(run_command(main))
