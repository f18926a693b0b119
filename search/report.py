"""Print the leaderboard and the time by phase, and write the report: `yolofront report --study nas_head`."""

from __future__ import annotations

import sys
from pathlib import Path

from search.cli.command import Exit, add_study_options, run_command, run_folder, url_of
from search.cli.stored_study import existing_store, find_study
from search.findings.formats import csv_text, splits_of
from search.findings.plain_results import plain_results
from search.findings.study_results import read_study_results
from search.finish.report_pictures import pictures_of
from search.pages.study_report import print_study_results, write_report
from search.study.faults import DefinitionError
from spaces.command_line import CommandParser, print_progress
from spaces.shown import print_json, print_line


def main(arguments: list[str]) -> int:
    """Run the command line."""
    parser = CommandParser("search.report", description=__doc__)
    add_study_options(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to write to (default: the study's run folder)")
    parser.add_argument("--split", default="val", help="split whose accuracy is printed (default: %(default)s)")
    parser.add_argument(
        "--csv", action="store_true", help="print the leaderboard as CSV, all splits, and write nothing"
    )
    parser.add_argument("--json", action="store_true", help="print all results as JSON, and write nothing")
    parser.add_argument(
        "--no-pictures",
        action="store_true",
        help="do not find boxes and confusion matrices on val where the study's folder holds none of the present front",
    )
    options = parser.parse_args(arguments)
    with existing_store(url_of(options)) as store:
        study = find_study(store, options.study)
        found = read_study_results(store, study, curves=False)
        splits = splits_of(found.records)
        if options.split not in splits:
            raise DefinitionError(f"no split '{options.split}' was evaluated; there are: {', '.join(splits)}")
        if options.json:
            print_json(plain_results(found))
            return Exit.DONE
        if options.csv:
            print_line(csv_text(found.rows(), splits).removesuffix("\n"))
            return Exit.DONE
        print_study_results(store, study, split=options.split)
        runs = run_folder(options)
        examples = None if options.no_pictures else pictures_of(store, study, runs, print_progress)
        folder = options.out or runs.study(study.sampler_name)
        for path in write_report(store, study, folder, examples=examples):
            print_line(path)
    return Exit.DONE


if __name__ == "__main__":
    sys.exit(run_command(main))
