"""The note of the places of moved files, damaged: one clear line."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.prepare.moved_files import present_place
from search.record.folders import RunFolder
from spaces.base import SpaceError


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"a": 1}', b"[" * 100_000, b"\xff"], ids=range(6))
def test_a_damaged_note_is_named(content: bytes, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.moved.parent.mkdir(parents=True, exist_ok=True)
    folder.moved.write_bytes(content)
    with pytest.raises(SpaceError, match=folder.moved.name):
        present_place("absent/data.yaml", folder)
    folder.moved.unlink()
    assert present_place("absent/data.yaml", folder) == "absent/data.yaml"
