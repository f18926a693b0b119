"""Product code does not assert on data: types carry what is known, or an error says what is wrong."""

from __future__ import annotations

import ast

from tests.tree import named, sources


def test_no_product_module_has_an_assert_statement() -> None:
    found = [
        f"{named(path)}:{node.lineno}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assert)
    ]
    assert found == [], "raise an error that names the value, or let a type carry what is asserted"
