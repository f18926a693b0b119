"""The commands, exit codes and files that the documents name are there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from functools import cache

import pytest

from objectives.quantities import QUANTITIES
from search.cli.command import Exit
from search.findings.columns import COLUMNS
from search.study.definition import BETTER
from search.study.limits import LIMITABLE
from tests.tree import ROOT, named, sources
from yolofront.commands import BY_NAME
from yolofront.commands import COMMANDS as OURS

README = (ROOT / "README.md").read_text()
FENCE = re.compile(r"^```(?:sh|bash)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def _commands() -> list[list[str]]:
    """The command lines of the README's shell blocks; a line that ends with a backslash goes on."""
    lines = "\n".join(FENCE.findall(README)).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True) for line in lines if line.strip() and not line.startswith("#")]


COMMANDS = [command for command in _commands() if command]


def _module(command: list[str]) -> str:
    """The module that a command line calls; empty for a command of others."""
    if command[0] == "yolofront":
        return BY_NAME[command[1]].module
    return command[2] if command[:2] == ["python", "-m"] else ""


MODULES = sorted({module for command in COMMANDS if (module := _module(command))})


@cache
def _help(module: str) -> str:
    done = subprocess.run([sys.executable, "-m", module, "--help"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_two_commands_that_do_everything_come_first() -> None:
    assert COMMANDS[:2] == [["make", "run"], ["make", "test"]]


def test_every_make_target_is_there() -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {command[1] for command in COMMANDS if command[0] == "make"} <= set(targets)


def test_every_objective_is_named_and_every_column_explained() -> None:
    known = re.search(r"These can be maximized: (.*?); and\s+these minimized: (.*?)\. The minimized", README, re.DOTALL)
    assert known is not None
    for text, direction in zip(known.groups(), ("maximize", "minimize"), strict=True):
        assert re.findall(r"`(\w+)`", text) == [name for name, better in BETTER.items() if better == direction]
    assert set(LIMITABLE) == {name for name, better in BETTER.items() if better == "minimize"}, "`The minimized ones`"
    explained = re.findall(r"^\| ([^|]+) \| ", README[README.index("| column | meaning |") :], re.MULTILINE)
    for quantity in QUANTITIES.values():
        if quantity.on_request or quantity.name in {column.key for column in COLUMNS}:
            assert any(quantity.title in (cell, *cell.split(", ")) for cell in explained), quantity.title


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_every_command_is_there_and_knows_the_options_that_the_readme_gives_it(module: str) -> None:
    known = _help(module)
    for command in COMMANDS:
        if _module(command) != module:
            continue
        own = command[: command.index("--")] if "--" in command else command
        for option in (part.partition("=")[0] for part in own if re.match(r"--?[a-z]", part) and part != "-m"):
            assert re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", known), f"{module} has no option {option}"


def test_every_exit_code_is_explained_as_it_is() -> None:
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}
    assert told == {int(code) for code in Exit}


def test_every_command_line_is_named_in_the_readme() -> None:
    modules = {named(path)[:-3].replace("/", "."): path.read_text() for path in sources()}
    commands = {module for module, text in modules.items() if re.search(rf'CommandParser\(\s*"{module}"', text)}
    assert commands == set(MODULES) == {command.module for command in OURS}
