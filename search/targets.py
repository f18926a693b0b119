"""What latency can be measured on here: `python -m search.targets`.

Every runtime, provider and precision by its name: the engine and the device, or what is missing and the line that
installs it.
"""

from __future__ import annotations

import argparse
import sys
from itertools import groupby

from objectives.runtimes.catalogue import Way, ways
from objectives.runtimes.names import name_of
from search.cli.checkup import Finding, Verdict, show
from search.cli.command import Exit, run_command


def main(arguments: list[str]) -> int:
    """The command line; exits with 1 if nothing can be measured."""
    argparse.ArgumentParser(prog="python -m search.targets", description=__doc__).parse_args(arguments)
    found = list(ways())
    by_runtime = groupby(found, key=lambda way: way.runtime.name)
    show([(name, [_finding(way) for way in same]) for name, same in by_runtime])
    count = sum(way.missing is None for way in found)
    print(f"{count} of {len(found)} can be measured; a study names one: target: ort-cpu")
    return Exit.DONE if count else Exit.ERROR


def _finding(way: Way) -> Finding:
    name = name_of(way.runtime.name, way.provider, way.precision)
    return Finding(name, str(way), Verdict.WARNING if way.missing else Verdict.GOOD)


if __name__ == "__main__":
    sys.exit(run_command(main))
