"""Durations on the command line."""

from __future__ import annotations

import pytest

from search.cli.command import Exit, run_command, seconds_of
from search.store.url import parse
from search.study.faults import DefinitionError
from spaces.shown import TRACEBACK


@pytest.mark.parametrize(
    ("text", "seconds"), [("8h", 28800), ("90m", 5400), ("1h30m", 5400), ("45", 45), ("0.5h", 1800), ("2d", 172800)]
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "8 h", "eight", "1h30", "-5m", "8x"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(DefinitionError, match=r"write 8h|needs a unit"):
        seconds_of(text)


def fail(arguments: list[str]) -> int:
    raise RuntimeError("\x1b[31mfirst\nsecond")


def test_a_fault_of_the_program_is_one_line_and_how_to_see_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(TRACEBACK)
    assert run_command(fail, []) == Exit.ERROR
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(r"error: RuntimeError: \x1b[31mfirst; second; a fault of this program") and TRACEBACK in line
    monkeypatch.setenv(TRACEBACK, "1")
    with pytest.raises(RuntimeError):
        run_command(fail, [])


def test_a_slip_in_a_database_url_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(lambda arguments: int(bool(parse(arguments[0]))), ["sqlite://study.db"]) == Exit.USAGE
    assert "sqlite:///study.db (three slashes)" in capsys.readouterr().err
