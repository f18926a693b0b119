"""Durations on the command line."""

from __future__ import annotations

import pytest

from search.cli.command import seconds_of
from search.study.faults import DefinitionError


@pytest.mark.parametrize(
    ("text", "seconds"), [("8h", 28800), ("90m", 5400), ("1h30m", 5400), ("45", 45), ("0.5h", 1800), ("2d", 172800)]
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "8 h", "eight", "1h30", "-5m", "8x"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(DefinitionError, match=r"write 8h|needs a unit"):
        seconds_of(text)
