"""Files and folders are there as a whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from spaces.durable import PARTIAL, delete_folder, make_folder, update_text, write_bytes, write_text


def full(_: int) -> None:
    raise OSError(28, "No space left on device")


def test_a_file_that_cannot_be_finished_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "pareto.png"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_bytes(path, b"new")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_file_is_written_with_its_folder_and_may_be_read_as_any_other(tmp_path: Path) -> None:
    path, plain = tmp_path / "report" / "page.html", tmp_path / "plain"
    assert write_text(path, "caf\u00e9\n") == path
    plain.touch()
    assert path.read_bytes() == b"caf\xc3\xa9\n"
    assert path.stat().st_mode == plain.stat().st_mode


def test_text_that_is_there_already_is_not_written_again(tmp_path: Path) -> None:
    path = write_text(tmp_path / "images.txt", "a.png\n")
    os.utime(path, (0, 0))
    update_text(path, "a.png\n")
    assert path.stat().st_mtime == 0
    update_text(path, "a.png\nb.png\n")
    assert path.read_text() == "a.png\nb.png\n" and path.stat().st_mtime > 0


def test_file_names_that_are_not_utf8_keep_their_bytes(tmp_path: Path) -> None:
    assert write_text(tmp_path / "images.txt", os.fsdecode(b"\xff.png")).read_bytes() == b"\xff.png"


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "scenes"
    assert make_folder(folder, lambda aside: (aside / "first").touch())
    assert not make_folder(folder, lambda aside: (aside / "second").touch())
    assert [path.name for path in folder.iterdir()] == ["first"]
    assert list(tmp_path.iterdir()) == [folder]


def test_unfinished_files_and_folders_are_deleted_after_an_hour(tmp_path: Path) -> None:
    old_file, old_folder, new = (tmp_path / f".{name}{PARTIAL}" for name in ("file", "folder", "new"))
    old_file.touch()
    old_folder.mkdir()
    new.touch()
    for left in (old_file, old_folder):
        os.utime(left, (0, 0))
    make_folder(tmp_path / "scenes", Path.touch)
    assert not old_file.exists() and not old_folder.exists()
    assert new.exists()  # another process may be writing it


def test_a_deleted_folder_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "scenes"
    (folder / "images").mkdir(parents=True)
    delete_folder(folder)
    delete_folder(folder)  # gone already
    assert list(tmp_path.iterdir()) == []
