"""Check this machine: `yolofront doctor [--storage URL]`.

Each line is a fact, a warning (something optional is missing) or a fault (a run would not start).
"""

from __future__ import annotations

import sys

from search.batch.site_defaults import defaults_file, read_defaults
from search.cli.checkup import Check, Verdict, check_all, checks_as_plain, print_checks
from search.cli.command import Exit, add_study_options, run_command, run_folder, url_of
from search.study.faults import DefinitionError
from spaces.command_line import CommandParser
from spaces.shown import print_json, print_line


def main(arguments: list[str]) -> int:
    """Run the command line; exits with 1 if something that every run needs is broken."""
    parser = CommandParser("search.doctor", description=__doc__)
    add_study_options(parser, required=False)
    parser.add_argument("--json", action="store_true", help="print all checks as JSON")
    options = parser.parse_args(arguments)
    groups = [*check_all(run_folder(options), url_of(options), options.study), ("cluster", _check_cluster())]
    broken = sum(check.verdict is Verdict.BROKEN for _, checks in groups for check in checks)
    if options.json:
        print_json({"faults": broken, "checks": checks_as_plain(groups)})
        return Exit.ERROR if broken else Exit.DONE
    print_checks(groups)
    faults = f"{broken} fault{'s' * (broken > 1)} to fix first"
    print_line(faults if broken else "everything that a run needs is here")
    return Exit.ERROR if broken else Exit.DONE


def _check_cluster() -> list[Check]:
    """Check the file of defaults for `search.submit`, if there is one."""
    file = defaults_file()
    if not file.is_file():
        return [Check("defaults", f"none; {file} may set partition, account, ...")]
    try:
        values = read_defaults()
    except DefinitionError as error:
        return [Check("defaults", str(error), Verdict.BROKEN)]
    return [Check("defaults", f"{file}: " + ", ".join(f"{name} {value}" for name, value in values.items()))]


if __name__ == "__main__":
    sys.exit(run_command(main))
