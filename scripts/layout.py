"""Prints the wings of each layer with their floors, and fails if the layout breaks a rule. Needs no library."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts.layout_rules import faults
from scripts.source_tree import LAYERS, SourceTree
from scripts.wing_table import PAGE, commands, is_current, wings, write

ROOT = Path(__file__).resolve().parent.parent


def overview(tree: SourceTree) -> Iterator[str]:
    """For each layer its commands, then its wings from the highest floor to the lowest."""
    for layer in reversed(LAYERS):
        mine = [module for module in tree.modules if module.layer == layer]
        yield f"{layer}: {len(mine)} files, {sum(module.lines for module in mine)} lines"
        yield f"  {'floor':>5} {'files':>5} {'lines':>6}  wing"
        run = commands(tree, layer)
        if run:
            yield _row("top", len(run), sum(module.lines for module in run), "*.py", "Commands; imported by nobody.")
        for wing in reversed(wings(tree, layer)):
            name = wing.unit.removeprefix(f"{layer}/")
            yield _row(str(wing.floor), wing.files, wing.lines, name, wing.sentence)


def _row(floor: str, files: int, lines: int, name: str, sentence: str) -> str:
    return f"  {floor:>5} {files:>5} {lines:>6}  {name:<18} {sentence}"


def check(tree: SourceTree) -> list[str]:
    """All faults, an outdated table in the documents included."""
    outdated = f"{PAGE}:1: the table of wings is out of date; `scripts/layout --write` renews it"
    return [*faults(tree), *([] if is_current(tree) else [outdated])]


def main(argv: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Print the layout; 1 if it has a fault."""
    parser = argparse.ArgumentParser(prog="scripts/layout", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write the table of wings into {PAGE}")
    asked = parser.parse_args(argv)
    tree = SourceTree.read(root)
    if asked.write:
        write(tree)
    print("\n".join(overview(tree)))
    found = check(tree)
    for fault in found:
        print(f"error: {fault}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
