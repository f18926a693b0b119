"""Durations as text."""

from __future__ import annotations

import pytest

from search.record.number_text import duration


@pytest.mark.parametrize(
    ("seconds", "text"), [(4.2, "4.2 s"), (42, "42 s"), (200, "3 min 20 s"), (18720, "5 h 12 min")]
)
def test_durations_are_shown(seconds: float, text: str) -> None:
    assert duration(seconds) == text
