"""One public name means one thing in a layer."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator

import pytest

from scripts.source_tree import LAYERS, Module
from tests.tree import project

MAY_STAND_TWICE = {"main"}
"""Every command has one."""


def _public_names(module: Module) -> Iterator[str]:
    """Classes, functions and constants that a module defines at its top; what it imports is not counted."""
    for node in module.tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names = [node.name]
        elif isinstance(node, ast.Assign):
            names = [each.id for target in node.targets for each in ast.walk(target) if isinstance(each, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names = [node.target.id]
        else:
            names = []
        yield from (name for name in names if not name.startswith("_"))


def _twice(layer: str) -> dict[str, list[str]]:
    """Names that more than one file of a layer defines, with these files. Revisions of the schema are not counted."""
    homes: dict[str, set[str]] = defaultdict(set)
    for module in project().modules:
        if module.layer == layer and "versions" not in module.parts:
            for name in _public_names(module):
                homes[name].add(module.path)
    return {name: sorted(paths) for name, paths in homes.items() if len(paths) > 1 and name not in MAY_STAND_TWICE}


@pytest.mark.parametrize("layer", LAYERS)
def test_a_public_name_is_defined_once_in_a_layer(layer: str) -> None:
    assert _twice(layer) == {}
