"""The commands, exit codes and files that the documents name are there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from functools import cache

import pytest

from search.cli.command import Exit
from tests.tree import ROOT, named, sources

README = (ROOT / "README.md").read_text()
FENCE = re.compile(r"^```(?:sh|bash)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def _commands() -> list[list[str]]:
    """The command lines of the README's shell blocks; a line that ends with a backslash goes on."""
    lines = "\n".join(FENCE.findall(README)).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True) for line in lines if line.strip() and not line.startswith("#")]


COMMANDS = [command for command in _commands() if command]
MODULES = sorted({command[2] for command in COMMANDS if command[:2] == ["python", "-m"]})


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


@pytest.mark.parametrize("module", MODULES)
def test_every_command_is_there_and_knows_the_options_that_the_readme_gives_it(module: str) -> None:
    known = _help(module)
    for command in COMMANDS:
        if command[:3] != ["python", "-m", module]:
            continue
        own = command[: command.index("--")] if "--" in command else command
        for option in (part.partition("=")[0] for part in own if re.match(r"--?[a-z]", part) and part != "-m"):
            assert re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", known), f"{module} has no option {option}"


def test_every_exit_code_is_explained_as_it_is() -> None:
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}
    assert told == {int(code) for code in Exit}


def test_every_command_line_is_named_in_the_readme() -> None:
    modules = {named(path)[:-3].replace("/", "."): path.read_text() for path in sources()}
    commands = {module for module, text in modules.items() if f'prog="python -m {module}"' in text}
    assert commands == set(MODULES)
