"""The places that a checkpoint can be saved to: a new folder, or an empty one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from spaces.base import Candidate
from spaces.networks.checkpoint import ARCHITECTURE, WEIGHTS, CheckpointError, CheckpointStore, hash_of, save
from spaces.networks.parent import Parent


@pytest.fixture
def candidate(parent: Parent) -> Candidate:
    return parent.candidate()


def test_an_empty_folder_becomes_a_checkpoint_and_keeps_its_mode(candidate: Candidate, tmp_path: Path) -> None:
    for name in ("empty", "behind"):
        (tmp_path / name).mkdir(mode=0o750)
    (tmp_path / "link").symlink_to("behind")
    for name in ("empty", "link"):
        digest = save(candidate, tmp_path / name)
        assert hash_of(tmp_path / name) == digest
        assert save(candidate, tmp_path / name) == digest
    assert (tmp_path / "link").is_symlink()
    assert {oct((tmp_path / name).stat().st_mode & 0o777) for name in ("empty", "behind")} == {"0o750"}
    store = CheckpointStore(tmp_path / "store")
    store.folder(digest).mkdir(parents=True)  # as after a copy that was interrupted
    half = store.put(candidate)
    store.folder(half).joinpath(ARCHITECTURE).unlink()
    store.folder(half).joinpath(WEIGHTS).unlink()
    assert store.put(candidate) == half and half in store


@pytest.mark.parametrize(
    ("name", "fact"),
    [("full", "it is a folder with notes.txt"), ("notes", "it is a file"), ("pipe", "it is neither a file nor")],
)
def test_what_cannot_become_a_checkpoint_is_said_and_stays(
    candidate: Candidate, tmp_path: Path, name: str, fact: str
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/notes.txt").touch()
    (tmp_path / "notes").write_text("mine")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CheckpointError, match=f"'{tmp_path / name}' is taken: {fact}"):
        save(candidate, tmp_path / name)
    assert {path.name for path in tmp_path.rglob("*")} == {"full", "notes.txt", "notes", "pipe"}
