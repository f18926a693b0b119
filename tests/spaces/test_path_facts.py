"""A path is described in words, whatever lies there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from spaces.path_facts import path_fact


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with one thing of each kind."""
    monkeypatch.chdir(tmp_path)
    for name in ("empty", "full"):
        Path(name).mkdir()
    for name in ("d", "c", "b", "a\x1b[31m"):
        Path("full", name).write_text("x")
    Path("file").write_text("x")
    Path("nothing").touch()
    for link, target in (("loop", "loop"), ("broken", "nowhere"), ("linked", "empty")):
        Path(link).symlink_to(target)
    os.mkfifo("pipe")
    return tmp_path


@pytest.mark.parametrize(
    ("path", "fact"),
    [
        ("absent", "it does not exist"),
        ("absent/deeper", "it does not exist"),
        ("empty", "it is an empty folder"),
        ("full", r"it is a folder with a\x1b[31m, b, c and 1 more"),
        ("file", "it is a file"),
        ("nothing", "it is an empty file"),
        ("file/inside/deep", "'file' is a file, so nothing lies below it"),
        ("broken", "it is a link to 'nowhere', which does not exist"),
        ("linked", "it is a link to 'empty', and that is an empty folder"),
        ("loop", "its links lead in a circle"),
        ("pipe", "it is neither a file nor a folder"),
        ("x" * 300, "its name is too long"),
        ("a\0b", "it holds a null character"),
    ],
)
@pytest.mark.usefixtures("place")
def test_a_fact_of_each_kind(path: str, fact: str) -> None:
    assert path_fact(path) == path_fact(Path(path)) == fact
