"""Notes of lock holders lie in a folder that all users share: what another program wrote there counts as nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from objectives.device.lock_holders import read_note

GOOD = {"use": "measuring", "pid": 12, "host": "here", "command": "x", "since": 1.0, "generation": 1, "beats": 2}
ODD = (
    b"", b"\xff", b"[]", b"[" * 1000, {**GOOD, "since": 1e300}, {**GOOD, "since": -1}, {**GOOD, "pid": 2**70},
    {**GOOD, "pid": 0}, {**GOOD, "pid": "x"}, {**GOOD, "since": None}, {"use": "measuring"},
)  # fmt: skip


@pytest.mark.parametrize("content", ODD, ids=range(len(ODD)))
def test_an_odd_note_is_none(content: bytes | dict[str, object], tmp_path: Path) -> None:
    note = tmp_path / "cpu.x.holder"
    note.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    assert read_note(note) is None


def test_a_note_is_shown_in_one_line_of_visible_characters(tmp_path: Path) -> None:
    note = tmp_path / "cpu.x.holder"
    note.write_text(json.dumps({**GOOD, "command": "\x1b]0;PWN\x07", "host": "\u202ehere\n"}))
    holder = read_note(note)
    assert holder is not None and str(holder).isprintable() and r"\x1b]0;PWN" in str(holder)
