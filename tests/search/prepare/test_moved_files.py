"""Files that were moved since their study began are found again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from search.prepare.moved_files import present_place, remember_places, writable_data_folder
from search.record.folders import RunFolder
from search.study.definition import load_study


def test_a_moved_data_set_is_found_where_its_study_was_continued(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "runs")
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    assert present_place(str(old), folder) == str(old)
    new.touch()
    remember_places(folder, load_study("nas_head", data=old).as_plain(), load_study("nas_head", data=new))
    assert present_place(str(old), folder) == str(new)
    old.touch()
    assert present_place(str(old), folder) == str(old), "where it was is where it is, if it is there"
    assert present_place("digits", folder) == "digits"


def test_a_run_folder_that_cannot_be_written_gets_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder(tmp_path / "runs")
    assert writable_data_folder(folder) == folder.data
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # as on a read-only medium; root may write elsewhere
    assert tmp_path not in writable_data_folder(folder).parents
