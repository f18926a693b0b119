"""Check this machine: `python -m search.doctor [--storage URL]`.

Each line is a fact, a warning (something optional is missing) or a fault (a run would not start).
"""

from __future__ import annotations

import argparse
import sys

from search.cli.checkup import Verdict, check_all, print_checks
from search.cli.command import Exit, add_study_options, run_command, run_folder, url_of
from spaces.shown import print_line


def main(arguments: list[str]) -> int:
    """Run the command line; exits with 1 if something that every run needs is broken."""
    parser = argparse.ArgumentParser(prog="python -m search.doctor", description=__doc__)
    add_study_options(parser, required=False)
    options = parser.parse_args(arguments)
    groups = check_all(run_folder(options), url_of(options), options.study)
    print_checks(groups)
    broken = sum(check.verdict is Verdict.BROKEN for _, checks in groups for check in checks)
    faults = f"{broken} fault{'s' * (broken > 1)} to fix first"
    print_line(faults if broken else "everything that a run needs is here")
    return Exit.ERROR if broken else Exit.DONE


if __name__ == "__main__":
    sys.exit(run_command(main))
