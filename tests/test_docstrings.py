"""Everything public says what it is, in words that its signature cannot."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache

from tests.tree import named, sources

Node = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
Thing = tuple[str, Node]


@cache
def _modules() -> tuple[Thing, ...]:
    return tuple((named(path), ast.parse(path.read_text(encoding="utf-8"))) for path in sources())


def _definitions(node: Node) -> list[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    kinds = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    return [child for child in node.body if isinstance(child, kinds) and not child.name.startswith("_")]


@cache
def _promised() -> dict[str, set[str]]:
    """For each class of the tree, the methods that it documents."""
    promised: dict[str, set[str]] = {}
    for _, module in _modules():
        for node in _definitions(module):
            documented = {child.name for child in _definitions(node) if ast.get_docstring(child)}
            promised.setdefault(node.name, set()).update(documented)
    return promised


def _public() -> Iterator[Thing]:
    """Modules, and in them classes, functions and methods, save methods that keep what a base class promises."""
    for name, module in _modules():
        yield name, module
        for node in _definitions(module):
            yield f"{name}: {node.name}", node
            if isinstance(node, ast.ClassDef):
                bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
                kept = set().union(*(_promised().get(base, set()) for base in bases))
                for method in _definitions(node):
                    if method.name not in kept:
                        yield f"{name}: {node.name}.{method.name}", method


def test_every_public_thing_has_a_docstring() -> None:
    assert [name for name, node in _public() if node.body and not ast.get_docstring(node)] == []


def test_a_docstring_begins_with_a_sentence() -> None:
    """A first line that is cut off in the middle reads badly wherever only it is shown."""
    summaries = {name: (ast.get_docstring(node) or "").split("\n\n")[0].strip() for name, node in _public()}
    assert [name for name, text in summaries.items() if text and not text.endswith((".", ":", "`", "?", "!"))] == []
