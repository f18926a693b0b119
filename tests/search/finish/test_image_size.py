"""Image size as a dimension of a study, by the whole command: searched by trials, set for a control."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from objectives.base import Measurement
from objectives.data.digit_scenes import write_digits
from objectives.metrics.cost import Cost
from search.record.trial import TrialRecord
from search.store.base import Store, StudyEntry
from search.store.sql import open_store
from search.study.definition import load_study
from search.work.dry_run import dry_run
from spaces.networks.checkpoint import CheckpointStore

pytestmark = pytest.mark.slow(file_s=90)

ROOT = Path(__file__).resolve().parents[3]
STUDY_PX, CONTROL_PX, SEARCHED_PX = 64, 32, (64, 96)
OVERRIDES = (
    "parent.recipe.epochs=1",
    "recipe.epochs=1",
    f"recipe.imgsz={{choices: [{SEARCHED_PX[0]}, {SEARCHED_PX[1]}]}}",
    f"controls=[{{name: small, from: parent, ratio: 0.5, recipe: {{imgsz: {CONTROL_PX}}}}}]",
)
WITHIN_S = 420


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("image-size")


@pytest.fixture(scope="module")
def scenes(folder: Path) -> Path:
    return write_digits(folder / "scenes", scenes={"train": 16, "val": 8, "test": 8})


@pytest.fixture(scope="module")
def store(folder: Path, scenes: Path) -> Iterator[Store]:
    """The database after a run of two trials; with its seed the sampler draws both sizes."""
    fixed = ["--study", "channel_ratio", "--name", "sizes", "--data", str(scenes), "--imgsz", str(STUDY_PX)]
    more = ["--model", "yolov5n.yaml", "--n-trials", "2", "--workers", "1", "--no-confirm"]
    overrides = [part for override in OVERRIDES for part in ("-o", override)]
    done = subprocess.run(
        [sys.executable, "-m", "search.run", *fixed, *more, "--project", str(folder / "runs"), *overrides],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=WITHIN_S,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    opened = open_store(f"sqlite:///{folder / 'runs' / 'yolofront.db'}")
    yield opened
    opened.close()


def test_each_record_has_the_figures_of_its_own_image_size(folder: Path, store: Store) -> None:
    records = {record.name: record for record in store.records(_study(store))}
    sizes = {name: record.recipe["imgsz"] for name, record in records.items()}
    assert (sizes["parent"], sizes["small"]) == (STUDY_PX, CONTROL_PX)
    assert {sizes["trial 0"], sizes["trial 1"]} == set(SEARCHED_PX)
    checkpoints = CheckpointStore(folder / "runs" / "checkpoints")
    for name, record in records.items():
        candidate = checkpoints.get(str(record.checkpoint))
        assert candidate.imgsz == sizes[name]
        assert record.params.get("recipe.imgsz", sizes[name]) == sizes[name]
        figures = {figure.name: figure.value for figure in Cost(1).measure(candidate)}
        assert figures["flops_g"] == record.value("flops_g")
        assert record.evaluation() is not None


def test_latencies_of_all_image_sizes_are_stored_under_the_studys_one_target(store: Store) -> None:
    records = store.records(_study(store))
    targets = {_latency(record).target for record in records}
    assert len(targets) == 1
    entry = store.target(str(*targets))
    assert entry is not None and entry.description["imgsz"] == STUDY_PX
    stored = store.latencies(entry.key)  # with repeats, of those that were timed while other work ran
    for record in records:
        assert record.spec is not None
        shape, imgsz = record.spec.shape_key, record.recipe["imgsz"]
        key = shape if imgsz == STUDY_PX else f"{shape} {imgsz} px"
        assert _latency(record) in [each.measurement for each in stored if each.shape_key == key]


def test_a_dry_run_tries_the_largest_images_that_are_searched(scenes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    definition = load_study("channel_ratio", (*OVERRIDES, "n_trials=9000"), data=scenes, imgsz=STUDY_PX)
    assert dry_run(definition, device="cpu", threads=torch.get_num_threads()) == 0
    said = capsys.readouterr().out
    assert f"to be trained, {STUDY_PX} px" in said
    assert f"candidate: {max(SEARCHED_PX)} px" in said
    assert re.search(r"sensitivity analysis, for the sampler: [\d.]+ (s|min)", said)


def _study(store: Store) -> StudyEntry:
    study = store.latest_study("sizes")
    assert study is not None
    return study


def _latency(record: TrialRecord) -> Measurement:
    found = record.measurement("latency_ms")
    assert found is not None
    return found
