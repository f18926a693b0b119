"""List the targets that latency can be measured on here: `yolofront targets`.

Each line is a target by its name (runtime, provider, precision), with the engine and the device, or with what is
missing and the command that installs it.
"""

from __future__ import annotations

import sys

from search.cli.checkup import Verdict, check_targets, checks_as_plain, print_checks
from search.cli.command import Exit, run_command
from spaces.command_line import CommandParser
from spaces.shown import print_json, print_line


def main(arguments: list[str]) -> int:
    """Run the command line; exits with 1 if nothing can be measured."""
    parser = CommandParser("search.targets", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print all targets as JSON")
    options = parser.parse_args(arguments)
    groups = check_targets()
    verdicts = [check.verdict for _, checks in groups for check in checks]
    count = verdicts.count(Verdict.GOOD)
    if options.json:
        print_json(checks_as_plain(groups))
        return Exit.DONE if count else Exit.ERROR
    print_checks(groups)
    print_line(f"{count} of {len(verdicts)} can be measured; a study names one: target: ort-cpu")
    return Exit.DONE if count else Exit.ERROR


if __name__ == "__main__":
    sys.exit(run_command(main))
