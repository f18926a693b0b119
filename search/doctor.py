"""What this machine can do: `python -m search.doctor [--storage URL]`.

Every line is a fact, a warning (something optional is missing) or a fault (a run would not start).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from search.cli.checkup import Finding, Verdict, database, machine, packages, run_folder_state, runtimes, show, studies
from search.cli.command import Exit, add_study_options, run_command, run_folder, url_of


def main(arguments: list[str]) -> int:
    """The command line; exits with 1 if something that every run needs is broken."""
    parser = argparse.ArgumentParser(prog="python -m search.doctor", description=__doc__)
    add_study_options(parser, required=False)
    options = parser.parse_args(arguments)
    folder = run_folder(options)
    groups: list[tuple[str, list[Finding]]] = [
        ("machine", machine()),
        ("packages", packages()),
        ("runtimes", runtimes()),
        ("storage", [run_folder_state(folder.root), database(url_of(options))]),
        ("studies", studies(options.study)),
    ]
    show(groups)
    broken = [finding for _, findings in groups for finding in findings if finding.verdict is Verdict.BROKEN]
    print("everything that a run needs is here" if not broken else f"{_count(broken)} to mend first")
    return Exit.ERROR if broken else Exit.DONE


def _count(broken: Sequence[Finding]) -> str:
    return "1 fault" if len(broken) == 1 else f"{len(broken)} faults"


if __name__ == "__main__":
    sys.exit(run_command(main))
