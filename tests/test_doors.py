"""One door out: text reaches a person through `spaces.shown` and the console that uses it, and by no other way."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.tree import ROOT

DOORS = ("spaces/shown.py", "spaces/display/terminal.py")
PRODUCT = ("yolofront", "search", "objectives", "spaces")
MAY_TOUCH_STREAMS = {
    "search/work/process.py": "sends a worker's output into its log, through ShownStream",
    "search/cli/checkup.py": "asks whether standard output is a terminal",
    "objectives/remote/measure.py": "prints a line on standard error, by print_line",
    "search/finish/end_note.py": "gives standard error to the user's own command",
    "search/widths.py": "asks whether standard error is a terminal",
}


def _ways_out(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in ("print", "Console", "pprint") or called.endswith((".stdout.write", ".stderr.write")):
                yield node.lineno, called
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in ("sys.stdout", "sys.stderr"):
            yield node.lineno, ast.unparse(node)
        elif isinstance(node, ast.Name) and node.id == "print":
            yield node.lineno, "print"


@pytest.mark.parametrize("layer", PRODUCT)
def test_text_goes_out_through_the_door(layer: str) -> None:
    found = {
        f"{path.relative_to(ROOT)}:{line}": what
        for path in sorted((ROOT / layer).rglob("*.py"))
        if str(path.relative_to(ROOT)) not in DOORS
        for line, what in _ways_out(ast.parse(path.read_text(encoding="utf-8")))
        if not (what.startswith("sys.") and str(path.relative_to(ROOT)) in MAY_TOUCH_STREAMS)
    }
    assert found == {}


def test_the_check_sees_every_way_out() -> None:
    code = "print(1)\nConsole()\nsys.stdout.write('')\nf(show=print)\nx = sys.stderr\nprint_line(1)\n"
    assert {line for line, _ in _ways_out(ast.parse(code))} == {1, 2, 3, 4, 5}
