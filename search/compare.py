"""Lay runs over each other, and say what differs between two: `python -m search.compare --study nas_head`.

    python -m search.compare --study nas_head                             parent, donors, controls and the front
    python -m search.compare --study nas_head parent "trial 7"            these, and what differs between the two
    python -m search.compare nas_head/parent "channel_ratio/trial 7"      of any studies of one database

Writes `comparison.html` (one file, works offline), the table as Markdown and CSV, and the pictures.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from objectives.data.yaml_file import read_definition
from search.cli.command import Exit, add_study_options, run_command, run_folder
from search.cli.stored_study import existing_store, find_study
from search.findings.comparison import Difference, differences
from search.findings.formats import terminal_table
from search.findings.leaderboard import leaderboard
from search.findings.selection import settled_study
from search.pages.comparison import write_comparison
from search.pictures.curves import MOST
from search.record.trial import Outcome, TrialRecord
from search.store.base import Store, StudyEntry
from search.study.faults import DefinitionError
from spaces.base import SpaceError
from spaces.display.terminal import table_console


@dataclass(frozen=True)
class Chosen:
    """Records to compare; the names of those of several studies begin with their study's."""

    records: tuple[TrialRecord, ...]
    studies: tuple[StudyEntry, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, if all are of one data set that is still there."""
        sources = {str((study.definition.get("data") or {}).get("source", "")) for study in self.studies}
        if len(sources) != 1:
            return ()
        source = sources.pop()
        try:
            return tuple("0123456789") if source == "digits" else read_definition(Path(source)).classes
        except (OSError, SpaceError):
            return ()


def main(arguments: list[str]) -> int:
    """The command line."""
    options = _parser().parse_args(arguments)
    with existing_store(options) as store:
        chosen = choose(store, options.study, options.runs)
    console = table_console()
    console.print(terminal_table(leaderboard(chosen.records)), crop=False)
    found: tuple[Difference, ...] = ()
    if len(chosen.records) == 2:
        found = differences(*chosen.records, chosen.classes)
        console.print(_table(found, [record.name for record in chosen.records]), crop=False)
    folder = options.out or run_folder(options).study(chosen.studies[0].sampler_name) / "comparison"
    for path in write_comparison(folder, chosen.records, found):
        print(path)
    return Exit.DONE


def choose(store: Store, study: str | None, runs: Sequence[str]) -> Chosen:
    """The records that are named: `trial 7` of the study, or `STUDY/trial 7`; by default the study's front and rows.

    Raises:
        DefinitionError: If a study or a record is not there, or they are too many to tell apart.
    """
    if study is None and not runs:
        raise DefinitionError("name a study with --study, or runs such as nas_head/parent 'nas_head/trial 7'")
    if not runs:
        entry = find_study(store, study or "")
        settled = settled_study(store, entry, curves=True)
        rows = [r for r in settled.records if r.is_reference or r.name in settled.front]
        return Chosen(_few([record for record in rows if record.outcome is Outcome.COMPLETE]), (entry,))
    found = [_named(store, study, run) for run in runs]
    studies = {entry.sampler_name: entry for entry, _ in found}
    records = [
        replace(record, name=f"{entry.sampler_name}/{record.name}") if len(studies) > 1 else record
        for entry, record in found
    ]
    return Chosen(_few(records), tuple(studies.values()))


def _few(records: Sequence[TrialRecord]) -> tuple[TrialRecord, ...]:
    if not records:
        raise DefinitionError("there is nothing to compare yet: no record is complete")
    if len(records) > MOST:
        raise DefinitionError(f"{len(records)} runs are to be compared; name at most {MOST}, more cannot be told apart")
    return tuple(records)


def _named(store: Store, study: str | None, run: str) -> tuple[StudyEntry, TrialRecord]:
    """A record by `NAME`, where a study is given, or `STUDY/NAME`."""
    before, slash, name = run.rpartition("/")
    if slash:
        study = before
    elif study is None:
        raise DefinitionError(f"'{run}' names no study; write STUDY/NAME, or give --study")
    entry = find_study(store, study or "")
    records = settled_study(store, entry, curves=True).records
    record = next((each for each in records if each.name == name), None)
    if record is None:
        rows = ", ".join(each.name for each in records if each.is_reference)
        raise DefinitionError(f"study '{entry.sampler_name}' has no '{name}'; it has {rows or 'no rows'}, and trials")
    return entry, record


def _table(found: Sequence[Difference], names: Sequence[str]) -> Table:
    table = Table(title="what differs", title_justify="left", box=SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("")
    table.add_column("")
    for name in names:
        table.add_column(name, justify="right")
    table.add_column("change", justify="right")
    part = ""
    for each in found:
        if each.part != part and part:
            table.add_section()
        table.add_row(each.part if each.part != part else "", each.what, each.ours, each.theirs, each.change)
        part = each.part
    return table


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m search.compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="*", metavar="RUN", help="NAME of a record of the study, or STUDY/NAME")
    add_study_options(parser, required=False)
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to write to (default: in the run folder)")
    return parser


if __name__ == "__main__":
    sys.exit(run_command(main))
