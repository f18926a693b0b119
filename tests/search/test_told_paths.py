"""Each public function that reads from a path says what is true of a path that it cannot read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from objectives.data.dataset import open_dataset
from objectives.remote.plan import read_plan
from search.measuring.network import BenchRequest, measure_network
from search.measuring.pack import PackRequest, pack
from search.measuring.unpack import unpack
from search.record.folders import RunFolder
from search.store.sql import open_store
from search.study.definition import load_study
from spaces.display.overview import overview_of
from spaces.networks.checkpoint import CheckpointStore, facts_of, hash_of, load
from spaces.networks.parent import Parent
from spaces.networks.weights import read_weights
from spaces.path_facts import path_fact

READERS: dict[str, Callable[[Path], object]] = {
    "checkpoint.load": load,
    "checkpoint.hash_of": hash_of,
    "checkpoint.facts_of": facts_of,
    "read_weights": read_weights,
    "Parent.load": lambda path: Parent.load(weights=path),
    "overview_of": lambda path: overview_of(str(path.with_name(f"{path.name}.pt"))),
    "open_dataset": lambda path: open_dataset(path, path.parent / "cache"),
    "read_plan": read_plan,
    "unpack": lambda path: list(unpack(open_store("sqlite://"), path, name="x")),
    "load_study": lambda path: load_study(path.with_name(f"{path.name}.yaml")),
    "measure_network": lambda path: measure_network(BenchRequest(path.with_name(f"{path.name}.pt"))),
    "measure_network of onnx": lambda path: measure_network(BenchRequest(path.with_name(f"{path.name}.onnx"))),
}
SUFFIXES = ("", ".pt", ".yaml", ".onnx")
"""Each thing lies under its name with each of these, so that every reader meets it."""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("x")
    for suffix in SUFFIXES:
        (tmp_path / f"empty{suffix}").mkdir()
        (tmp_path / f"full{suffix}").mkdir()
        (tmp_path / f"full{suffix}" / "notes.txt").touch()
        for link, target in (("loop", f"loop{suffix}"), ("broken", "nowhere")):
            (tmp_path / f"{link}{suffix}").symlink_to(target)
    return tmp_path


@pytest.mark.parametrize("name", ["absent", "empty", "full", "file/inside", "loop", "broken", "x" * 300])
@pytest.mark.parametrize("reader", READERS)
def test_what_is_true_of_the_path_is_said(place: Path, reader: str, name: str) -> None:
    facts = {path_fact(place / f"{name}{suffix}") for suffix in SUFFIXES}
    with pytest.raises(ValueError) as raised:
        READERS[reader](place / name)
    assert any(fact in str(raised.value) for fact in facts), raised.value
    assert "\n" not in str(raised.value)


def test_a_folder_to_pack_into_must_be_new_or_empty(place: Path) -> None:
    for name in ("full", "file", "loop", "broken"):
        request = PackRequest(place / name, "nas_head", RunFolder(place / "runs"), "sqlite://")
        with pytest.raises(ValueError) as raised:
            pack(request)
        assert f"--pack is '{place / name}': {path_fact(place / name)}; give a new or empty folder" == str(raised.value)


def test_a_store_says_what_its_folder_is(place: Path) -> None:
    for name in ("absent", "file", "broken"):
        with pytest.raises(ValueError) as raised:
            CheckpointStore(place / name).get("0" * 32)
        assert path_fact(place / name) in str(raised.value)
