"""The tables of wings in docs/flow.md, made from the docstrings of the wings and from what they import."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.layout_rules import floors
from scripts.source_tree import LAYERS, Module, SourceTree

PAGE = "docs/flow.md"
BEGIN = "<!-- wings: written by `scripts/layout --write` from the docstrings of the wings -->"
END = "<!-- end of wings -->"


@dataclass(frozen=True)
class Wing:
    """One wing, or one file beside the wings: what it holds, how to add to it, how large it is."""

    unit: str
    floor: int
    sentence: str
    to_add: str
    files: int
    lines: int


def wings(tree: SourceTree, layer: str) -> list[Wing]:
    """The wings of a layer, from the lowest floor to the highest."""
    rows = [_wing(tree, unit, floor) for unit, floor in floors(tree, layer).items()]
    return sorted(rows, key=lambda wing: (wing.floor, wing.unit))


def commands(tree: SourceTree, layer: str) -> list[Module]:
    """The commands of a layer."""
    return [module for module in tree.modules if module.layer == layer and module.is_command]


def sentence(docstring: str) -> str:
    """The first paragraph in one line: what a module or a wing holds."""
    return " ".join(docstring.split("\n\n")[0].split())


def to_add(docstring: str) -> str:
    """The paragraph that begins with `To add`, in one line; empty if there is none."""
    paragraphs = (" ".join(part.split()) for part in docstring.split("\n\n")[1:])
    return next((part for part in paragraphs if part.startswith("To add ")), "")


def _wing(tree: SourceTree, unit: str, floor: int) -> Wing:
    modules = [module for module in tree.modules if module.unit == unit]
    heads = [module for module in modules if module.path in (unit, f"{unit}/__init__.py")]
    text = heads[0].docstring if heads else ""
    return Wing(unit, floor, sentence(text), to_add(text), len(modules), sum(module.lines for module in modules))


def table(tree: SourceTree) -> str:
    """One table a layer, from the highest layer to the lowest, each from its highest floor to its lowest."""
    return "\n\n".join("\n".join(_layer_table(tree, layer)) for layer in reversed(LAYERS))


def _layer_table(tree: SourceTree, layer: str) -> Iterator[str]:
    head = tree.by_name.get(layer)
    yield f"### {layer}"
    yield ""
    yield sentence(head.docstring) if head else ""
    yield ""
    yield "| floor | wing | holds | to add to it |"
    yield "|---|---|---|---|"
    names = ", ".join(f"`{module.parts[-1][:-3]}`" for module in commands(tree, layer))
    if names:
        yield f"| top | commands | {names} | |"
    for wing in reversed(wings(tree, layer)):
        yield f"| {wing.floor} | `{wing.unit}` | {_cell(wing.sentence)} | {_cell(wing.to_add)} |".replace("|  |", "| |")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def is_current(tree: SourceTree) -> bool:
    """Return whether the page holds the table as it is today."""
    page = _page(tree)
    return page.exists() and _with_table(page.read_text(encoding="utf-8"), tree) == page.read_text(encoding="utf-8")


def write(tree: SourceTree) -> None:
    """Put the table of today between the two markers of the page."""
    page = _page(tree)
    page.write_text(_with_table(page.read_text(encoding="utf-8"), tree), encoding="utf-8")


def _page(tree: SourceTree) -> Path:
    return tree.root / PAGE


def _with_table(text: str, tree: SourceTree) -> str:
    """The page's text with the table between its markers; the text as it is plus a table where they are missing."""
    made = f"{BEGIN}\n{table(tree)}\n{END}"
    between = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    return between.sub(lambda _: made, text) if between.search(text) else f"{text.rstrip()}\n\n{made}\n"
