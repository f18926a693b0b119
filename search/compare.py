"""Compare runs, and list the differences between two: `yolofront compare --study nas_head`.

    yolofront compare --study nas_head                             parent, donors, controls and the front
    yolofront compare --study nas_head parent "trial 7"            these, and the differences between the two
    yolofront compare nas_head/parent "channel_ratio/trial 7"      of any studies of one database

Writes `comparison.html` (one file, works offline), the table as Markdown and CSV, and the pictures.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from search.cli.command import Exit, add_study_options, run_command, run_folder, url_of
from search.cli.stored_study import existing_store
from search.findings.comparison import Difference, difference_table, record_differences
from search.findings.leaderboard import leaderboard
from search.findings.terminal import terminal_table
from spaces.command_line import CommandParser
from spaces.display.terminal import table_console
from spaces.shown import print_line


def main(arguments: list[str]) -> int:
    """Run the command line."""
    options = _parser().parse_args(arguments)
    from search.pages.compared_records import select_compared  # with pictures: matplotlib is not for --help
    from search.pages.comparison import write_comparison

    with existing_store(url_of(options)) as store:
        compared = select_compared(store, study=options.study, names=options.runs)
    console = table_console()
    console.print(terminal_table(leaderboard(compared.records)), crop=False)
    found: tuple[Difference, ...] = ()
    if len(compared.records) == 2:
        found = record_differences(*compared.records, compared.classes)
        console.print(difference_table(found, [record.name for record in compared.records]), crop=False)
    folder = options.out or run_folder(options).study(compared.studies[0].sampler_name) / "comparison"
    for path in write_comparison(folder, compared.records, found):
        print_line(path)
    return Exit.DONE


def _parser() -> CommandParser:
    parser = CommandParser("search.compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", metavar="RUN", help="NAME of a record of the study, or STUDY/NAME")
    add_study_options(parser, required=False)
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to write to (default: in the run folder)")
    return parser


if __name__ == "__main__":
    sys.exit(run_command(main))
