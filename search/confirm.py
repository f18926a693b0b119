"""Time the front's members again, side by side: `yolofront confirm --study nas_head`.

Trials are timed hours apart. Here the finalists are timed in turn with each other and the reference, within seconds,
until their order is clear; those that cannot be told apart are shown as ties (`=`). Reports, `search.export
--best-under` and `--knee` use the newest confirmation.
"""

from __future__ import annotations

import sys

from search.cli.command import Exit, add_study_options, run_command, run_folder, url_of
from search.cli.hard_end import ended_when_hung
from search.cli.stored_study import existing_store, find_study
from search.findings.confirmation_table import print_confirmation
from search.finish.finalists import select_finalists
from spaces.command_line import CommandParser, print_progress


def main(arguments: list[str]) -> int:
    """Run the command line."""
    options = _parser().parse_args(arguments)
    with ended_when_hung(), existing_store(url_of(options)) as store:
        study = find_study(store, options.study)
        finalists = select_finalists(store, study, options.records)
        from search.finish.race import confirm_finalists  # imports torch: not for usage errors

        confirmation = confirm_finalists(store, study, run_folder(options), finalists, show_line=print_progress)
        print_confirmation(store, study, confirmation)
    return Exit.DONE


def _parser() -> CommandParser:
    parser = CommandParser("search.confirm", description=__doc__)
    add_study_options(parser)
    parser.add_argument(
        "--records", metavar="NAMES", help="time these instead of the front's members: 'trial 3,parent'"
    )
    return parser


if __name__ == "__main__":
    sys.exit(run_command(main))
