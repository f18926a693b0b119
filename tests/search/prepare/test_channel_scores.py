"""Scores of channels: measured once where they need gradients, and found again in the run folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from objectives.data.dataset import Dataset, open_dataset
from objectives.data.digit_scenes import write_digits
from objectives.training.gradients import gradients
from search.prepare.channel_scores import score_channels
from search.store.sql import open_store
from search.trial.workbench import Workbench
from spaces.networks.parent import Parent
from spaces.ranking.importance import best_first


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("digits")
    return open_dataset(write_digits(folder / "scenes", scenes={"train": 16, "val": 8, "test": 8}), folder / "cache")


@pytest.fixture
def bench(data: Dataset, tmp_path: Path) -> Iterator[Workbench]:
    parent = Parent.load("yolov5n.yaml", classes=data.classes, imgsz=64)
    training = SimpleNamespace(data=data, device="cpu", seed=0)
    store = open_store("sqlite://")
    yield cast(Workbench, SimpleNamespace(parent=parent, training=training, store=store, maps=tmp_path / "maps"))
    store.close()


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keys of the networks that gradients were measured of."""
    calls: list[str] = []

    def counted(candidate: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(candidate.spec.key)
        return gradients(candidate, *args, **kwargs)

    monkeypatch.setattr("search.prepare.channel_scores.gradients", counted)
    return calls


def test_taylor_scores_are_measured_once_for_each_network(bench: Workbench, measured: list[str]) -> None:
    parent = bench.parent.as_candidate()
    first = score_channels(bench, "taylor", parent)
    assert score_channels(bench, "taylor", parent) == first
    assert len(measured) == 1
    cut = bench.parent.build(bench.parent.spec({bench.parent.groups[0].name: 8}))
    scores = score_channels(bench, "taylor", cut)
    assert len(measured) == 2
    assert [len(of) for of in scores.values()] == [len(kept) for kept in cut.spec.kept]


def test_a_damaged_file_is_measured_again(bench: Workbench, measured: list[str]) -> None:
    parent = bench.parent.as_candidate()
    first = score_channels(bench, "taylor", parent)
    (file,) = bench.maps.glob("taylor-*.json")
    for content in ("", "[]", '{"model.0": {"x": 1}}', '{"model.0": {"0": 1.0}}'):
        file.write_text(content)
        assert score_channels(bench, "taylor", parent) == first
    assert len(measured) == 5


def test_the_order_differs_from_that_by_magnitude(bench: Workbench) -> None:
    parent = bench.parent.as_candidate()
    taylor, magnitude = (best_first(score_channels(bench, name, parent)) for name in ("taylor", "l2"))
    assert taylor.keys() == magnitude.keys()
    assert sum(taylor[name] != magnitude[name] for name in taylor) > len(taylor) / 2
