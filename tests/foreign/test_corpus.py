"""Each hostile or damaged file ends its command in one line: no traceback, no code, no escape code, nothing written."""

from __future__ import annotations

import importlib
import resource
import time
import unicodedata
from pathlib import Path

import pytest

from search.cli.command import Exit, run_command
from spaces.shown import LONGEST_LINE
from tests.foreign.corpus import Case, cases

CASES = cases()
LONGEST_S = 10
MOST_BYTES = 2**30
MAY_APPEAR = ("here/runs", "here/file.db", "temporary/torchinductor")
"""The run folder, what lies beside a database, and a folder that torch makes when it is imported."""


def run(command: list[str]) -> int:
    """Run a command in this process, as its command line does."""
    name, *arguments = command
    module = importlib.import_module(name)
    if name == "spaces.show":
        return int(module.run(arguments))
    return run_command(module.main, arguments)


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, which holds the file alone; the folder for temporary files is beside it."""
    folder, temporary = tmp_path / "here", tmp_path / "temporary"
    folder.mkdir()
    temporary.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    return folder


def test_the_corpus_is_large_enough() -> None:
    assert len(CASES) >= 150
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: ascii(case.name))
def test_a_hostile_file_ends_in_one_line(case: Case, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case.write(place / case.path)
    before, began = files_below(place.parent), time.monotonic()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    code = run([word.format(case.path) for word in case.command])
    took, grown = time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    out, err = capsys.readouterr()
    assert code in (Exit.ERROR, Exit.USAGE), (out, err)
    lines = err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: ") and len(lines[0]) < LONGEST_LINE + 100, err
    assert "secret" not in out + err and "Traceback" not in out + err
    assert all(char == "\n" or unicodedata.category(char)[0] != "C" for char in out + err)
    assert took < LONGEST_S and 1024 * grown < MOST_BYTES, (took, grown)
    written = files_below(place.parent) - before
    assert {path for path in written if not path.startswith(MAY_APPEAR)} == set()
