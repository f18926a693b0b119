"""Tests go through what is public: what begins with an underscore may change without a test that breaks."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache

import pytest

from scripts.source_tree import LAYERS, Module
from tests.tree import ROOT, named, project

TOUCHED: dict[str, str] = {
    "tests/yolofront/test_api.py: _repr_html_": "notebooks ask by this name",
}
"""Private names that a test cannot do without, as `file: name`, with the reason."""

BY_NAME = ("setattr", "delattr", "getattr", "hasattr", "patch", "object")
"""Functions that are told by text which attribute they get, set or replace, such as `monkeypatch.setattr`."""


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_"


def _defined(tree: ast.AST) -> Iterator[str]:
    """Every private name that a file defines: functions, classes, variables, attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names = [node.id]
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names = [node.attr]
        else:
            continue
        yield from filter(_is_private, names)


@cache
def _private_names() -> frozenset[str]:
    """Private names of the layers. Other libraries' private names, such as `os._exit`, are not ours to judge."""
    return frozenset(name for module in project().modules for name in _defined(module.tree))


def touched(tree: ast.AST, private: frozenset[str]) -> Iterator[tuple[int, str]]:
    """Private names of the layers that a test imports, reads, sets or replaces, each with its line.

    Attributes of `self` are a test's own if the file defines them, as are those that it hands to its own objects.
    """
    foreign = private - set(_defined(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in LAYERS:
            yield from ((node.lineno, alias.name) for alias in node.names if _is_private(alias.name))
        elif isinstance(node, ast.Attribute) and node.attr in (
            private if isinstance(node.ctx, ast.Store) and not _is_of_self(node) else foreign
        ):
            yield node.lineno, node.attr
        elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in BY_NAME:
            texts = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            yield from ((node.lineno, name) for text in texts if (name := text.rpartition(".")[2]) in private)


def _is_of_self(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")


def test_no_test_touches_a_private_name_of_the_layers() -> None:
    found = {
        f"{named(path)}: {name}": line
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for line, name in touched(ast.parse(path.read_text(encoding="utf-8")), _private_names())
    }
    assert {key: line for key, line in found.items() if key not in TOUCHED} == {}
    assert set(TOUCHED) - set(found) == set(), "nothing touches these any more; take them out of TOUCHED"


OURS = Module(
    "search/x.py", "class A:\n    def __init__(self):\n        self._mine_alone = 1\n\n\ndef _given_away():\n    pass\n"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from search.x import _given_away", "_given_away"),
        ("from search import x\nx._given_away()", "_given_away"),
        ("import search.x\nsearch.x.A()._mine_alone", "_mine_alone"),
        ("def test(worker):\n    worker._mine_alone = 2", "_mine_alone"),
        ("def test(monkeypatch):\n    monkeypatch.setattr(x, '_given_away', None)", "_given_away"),
        ("def test(monkeypatch):\n    monkeypatch.setattr('search.x._given_away', None)", "_given_away"),
        ("class B(A):\n    def look(self):\n        return self._mine_alone", "_mine_alone"),
    ],
)
def test_each_way_to_touch_one_is_seen(text: str, expected: str) -> None:
    assert [name for _, name in touched(ast.parse(text), frozenset(_defined(OURS.tree)))] == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "import os\nos._exit(1)",
        "class Own:\n    def __init__(self):\n        self._mine_alone = 1\n        self._mine_alone += 1",
        "from tests.tree import _given_away",
        "text.endswith('_given_away')",
        "for _ in ():\n    pass",
    ],
)
def test_what_is_not_ours_or_the_tests_own_is_given_away(text: str) -> None:
    assert list(touched(ast.parse(text), frozenset(_defined(OURS.tree)))) == []
