"""Train the front's members for longer and score them again: `yolofront polish --study nas_head --epochs 100`.

Trials are trained only as long as ranking them requires; a network that is used needs more. Each polished network
becomes a row of the study beside its trial, and a member of the front if it is good enough. Networks that are polished
already are skipped, so an interrupted command can be repeated.
"""

from __future__ import annotations

import sys

from search.cli.command import Exit, add_study_options, run_command, run_folder, url_of
from search.cli.hard_end import ended_when_hung
from search.cli.stored_study import existing_store, find_study
from search.finish.polishing import EPOCHS_FACTOR, polish, select_for_polishing
from spaces.command_line import CommandParser, print_progress


def main(arguments: list[str]) -> int:
    """Run the command line."""
    options = _parser().parse_args(arguments)
    with ended_when_hung(), existing_store(url_of(options)) as store:
        study = find_study(store, options.study)
        members = select_for_polishing(store, study, options.records)
        polish(
            store,
            study,
            run_folder(options),
            members,
            epochs=options.epochs,
            device=options.device,
            show_line=print_progress,
        )
    return Exit.DONE


def _parser() -> CommandParser:
    parser = CommandParser("search.polish", description=__doc__)
    add_study_options(parser)
    add = parser.add_argument
    add("--epochs", type=int, metavar="N", help=f"epochs for each network (default: {EPOCHS_FACTOR} times its own)")
    add("--records", metavar="NAMES", help="polish these instead of the front's trials: 'trial 3,one-shot'")
    add("--device", default="cpu", help="where training runs: cpu, 0, 1, ... (default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(run_command(main))
