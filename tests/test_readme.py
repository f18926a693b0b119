"""The commands, exit codes and files that the documents name are there, and the README is short."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from objectives.quantities import QUANTITIES
from search.cli.command import Exit
from search.findings.columns import COLUMNS
from search.study.definition import BETTER
from search.study.limits import LIMITABLE
from tests.documents.written import README, command_lines, pages, shell_lines
from tests.tree import ROOT, named, sources
from yolofront.commands import COMMANDS as OURS

LONGEST = 200
"""Lines of the README; everything else has a page of its own."""
STUDIES, TABLE, WORKERS = (ROOT / f"docs/{name}.md" for name in ("studies", "reading-the-table", "workers"))


def test_the_two_commands_that_do_everything_come_first() -> None:
    first = [shlex.split(line, comments=True) for line in shell_lines(README)[:2]]
    assert first == [["make", "run"], ["make", "test"]]


def test_table_and_picture_come_first_and_the_readme_is_short() -> None:
    text = README.read_text()
    assert text.index("\n| network |") < text.index("\n![") < text.index("\n## ")
    assert len(text.splitlines()) <= LONGEST


def test_every_page_is_linked_in_the_readme() -> None:
    text = README.read_text()
    alone = [named(path) for path in pages() if path.parent == ROOT / "docs" and f"]({named(path)})" not in text]
    assert alone == []


@pytest.mark.parametrize("page", pages(), ids=named)
def test_every_make_target_is_there(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    lines = [shlex.split(line, comments=True) for line in shell_lines(page) if line.startswith("make ")]
    assert {words[1] for words in lines} <= targets


def test_every_objective_is_named_and_every_column_explained() -> None:
    studies, table = STUDIES.read_text(), TABLE.read_text()
    sentence = r"These can be maximized: (.*?); and\s+these minimized: (.*?)\. The minimized"
    known = re.search(sentence, studies, re.DOTALL)
    assert known is not None
    for text, direction in zip(known.groups(), ("maximize", "minimize"), strict=True):
        assert re.findall(r"`(\w+)`", text) == [name for name, better in BETTER.items() if better == direction]
    assert set(LIMITABLE) == {name for name, better in BETTER.items() if better == "minimize"}, "`The minimized ones`"
    explained = re.findall(r"^\| ([^|]+) \| ", table[table.index("| column | meaning |") :], re.MULTILINE)
    for quantity in QUANTITIES.values():
        if quantity.on_request or quantity.name in {column.key for column in COLUMNS}:
            assert any(quantity.title in (cell, *cell.split(", ")) for cell in explained), quantity.title


def test_every_exit_code_is_explained_as_it_is() -> None:
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", WORKERS.read_text(), re.MULTILINE)}
    assert told == {int(code) for code in Exit}


def test_every_command_line_is_named_in_the_documents() -> None:
    modules = {named(path)[:-3].replace("/", "."): path.read_text() for path in sources()}
    commands = {module for module, text in modules.items() if re.search(rf'CommandParser\(\s*"{module}"', text)}
    called = {line.module for page in pages() for line in command_lines(page)} - {""}
    assert commands == called == {command.module for command in OURS}
