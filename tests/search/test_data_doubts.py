"""Warnings about the data at the start of a run, in a dry run and below the table; `--strict` makes them errors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from search.cli.command import Exit, run_command
from search.pages.study_report import print_study_results, write_report
from search.prepare import preparation
from search.prepare.preparation import Preparation, Setting
from search.record.doubts import DOUBTS
from search.record.events import Event, Note
from search.record.folders import RunFolder
from search.run import main
from search.store.base import Store
from search.store.sql import open_store
from search.study.definition import load_study
from search.work import dry_run
from spaces.base import SpaceError
from tests.objectives.pets import label, write_pets
from tests.search.plausible import plausible_study, store_study

LOST = "warning: data: split 'train': 1 of 3 label files have no image (gone.txt)"


@pytest.fixture
def shrunk(tmp_path: Path) -> Path:
    """A data set that has lost an image."""
    pets = write_pets(tmp_path / "pets")
    label(pets / "labels/train/gone.txt")
    return pets / "data.yaml"


@pytest.fixture
def store() -> Iterator[Store]:
    store = open_store("sqlite://")
    yield store
    store.close()


def _stop(*_: object) -> None:
    raise SpaceError("here the test ends")


def test_strict_ends_before_anything_is_trained(
    shrunk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--study", "nas_head", "--data", str(shrunk), "--project", str(tmp_path / "runs"), "--strict"]
    assert run_command(main, [*arguments, "--dry-run"]) == Exit.USAGE
    error = capsys.readouterr().err
    assert "data set 'pets' is doubtful, and --strict allows no doubt" in error
    assert "1 of 3 label files have no image (gone.txt)" in error
    assert run_command(main, [*arguments]) == Exit.USAGE
    assert "--strict allows no doubt" in capsys.readouterr().err
    study = open_store(f"sqlite:///{tmp_path / 'runs/yolofront.db'}").latest_study("nas_head")
    assert study is None


def test_a_dry_run_tells_them(
    shrunk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dry_run, "load_initial_parent", _stop)
    assert run_command(main, ["--study", "nas_head", "--data", str(shrunk), "--dry-run"]) == Exit.USAGE
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("data: pets, 2 classes; images: train 2, val 1")
    assert second == LOST


@pytest.mark.parametrize(("is_first", "said"), [(True, [Note(LOST)]), (False, [])])
def test_the_first_worker_tells_them(
    shrunk: Path, tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch, is_first: bool, said: list[Event]
) -> None:
    monkeypatch.setattr(Preparation, "open_workbench", _stop)
    whole = SimpleNamespace(parent=SimpleNamespace(note=""))
    monkeypatch.setattr(preparation, "load_initial_parent", lambda *_: whole)
    events: list[Event] = []
    setting = Setting(folder=RunFolder(tmp_path / "runs"), device="cpu", scratch=tmp_path / "scratch")
    definition = load_study("nas_head", data=str(shrunk))
    prepared = Preparation(definition=definition, store=store, setting=setting, say=events.append, is_first=is_first)
    with pytest.raises(SpaceError, match="here the test ends"), prepared.run():
        pass
    assert [event for event in events if isinstance(event, Note)] == said


def test_the_foot_of_every_table_repeats_them(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = store_study(store, plausible_study(trials=4))
    study = store.freeze(study, {DOUBTS: [LOST.removeprefix("warning: data: "), "[bold]"]})
    print_study_results(store, study)
    page, _, markdown, _ = write_report(store, study, tmp_path)
    for text in (capsys.readouterr().out, markdown.read_text()):
        assert LOST in text
    assert LOST.replace("'", "&#39;") in page.read_text()
