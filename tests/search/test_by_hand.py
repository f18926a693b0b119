"""What is done by hand, for real and small: a round is killed in its middle, sizes are cut, rows are joined."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from objectives.data.digit_scenes import write_digits
from search.record.trial import TrialRecord
from search.store.sql import open_store
from tests.tree import ROOT

pytestmark = pytest.mark.slow(file_s=90)

WITHIN_S = 420
MODEL = "yolov8n.yaml"
STUDY = {
    "description": "Rounds by hand, as small as they can be.",
    "parent": {"model": MODEL, "recipe": {"epochs": 100, "batch": 16}},
    "donors": [
        {
            "name": "one-shot", "from": "parent", "cut": "threshold", "threshold": 0.5, "ratio": 0.5,
            "sparse": {"epochs": 300, "sparsity": 0.05}, "recipe": {"epochs": 300}, "also": "best_f1",
        },
        {"name": "round-2", "from": "one-shot-f1", "ratio": 0.7},
    ],
    "controls": [
        {"name": "nas_final", "graft": {"backbone": "one-shot", "head": "round-2"}},
        {"name": "other", "model": "yolov5n.yaml"},
        {"name": "other-60", "from": "other", "ratio": 0.4},
    ],
    "recipe": {"epochs": 1, "batch": 16, "lr0": 0.01, "warmup_epochs": 0},
    "scale": 0.01,
    "space": {"type": "channels"},
    "n_trials": 0,
}  # fmt: skip


class Project:
    """A run folder, a small data set, a study, and the command on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        data = write_digits(folder / "scenes", scenes={"train": 32, "val": 16, "test": 16})
        self.study = folder / "by-hand.yaml"
        self.study.write_text(yaml.safe_dump({**STUDY, "data": {"source": str(data), "imgsz": 64}}, sort_keys=False))

    def command(self) -> list[str]:
        fixed = [
            "--study",
            str(self.study),
            "--project",
            str(self.folder / "runs"),
            "--no-confirm",
            "--name",
            "by-hand",
        ]
        return [sys.executable, "-m", "search.run", *fixed]

    def rows(self) -> dict[str, TrialRecord]:
        store = open_store(f"sqlite:///{self.folder / 'runs' / 'yolofront.db'}")
        study = store.latest_study("by-hand")
        assert study is not None
        rows = {record.name: record for record in store.records(study)}
        store.close()
        return rows


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("by_hand"))


@pytest.fixture(scope="module")
def outputs(project: Project) -> Iterator[tuple[str, str]]:
    """What the command says until it is killed in the middle of a round, and what it says when it goes on."""
    log = project.folder / "first.txt"
    with log.open("w") as file:
        process = subprocess.Popen(project.command(), stdout=file, stderr=subprocess.STDOUT, cwd=ROOT)
    deadline = time.monotonic() + WITHIN_S
    while "training one-shot\n" not in log.read_text():
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    for each in (*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)):
        each.kill()
    process.wait()
    again = subprocess.run(project.command(), capture_output=True, text=True, cwd=ROOT, timeout=WITHIN_S)
    assert again.returncode == 0, again.stdout + again.stderr
    yield log.read_text(), again.stdout


def test_a_round_that_was_killed_goes_on_from_its_training_with_sparsity(outputs: tuple[str, str]) -> None:
    first, second = outputs
    assert "training one-shot sparse" in first and "training parent" in first
    assert "training one-shot sparse" not in second and "training parent" not in second
    assert "training one-shot\n" in second


def test_every_row_is_there_and_says_where_it_comes_from(project: Project, outputs: tuple[str, str]) -> None:
    rows = project.rows()
    assert list(rows) == ["parent", "one-shot", "one-shot-f1", "round-2", "nas_final", "other", "other-60"]
    lineage = {name: row.lineage for name, row in rows.items()}
    assert lineage == {
        "parent": None, "one-shot": "parent", "one-shot-f1": "parent", "round-2": "one-shot-f1",
        "nas_final": "one-shot + round-2", "other": None, "other-60": "other",
    }  # fmt: skip
    assert [row.recipe["epochs"] for row in rows.values()] == [1, 3, 3, 1, 1, 1, 1]
    assert all([each.split for each in row.evaluations] == ["val", "test"] for row in rows.values())


def test_the_row_says_what_the_threshold_cut(project: Project, outputs: tuple[str, str]) -> None:
    row = project.rows()["one-shot"]
    assert row.params["cut.threshold"] == 0.5
    assert 0 <= float(row.params["cut.share_below"]) <= 1
    assert row.spec is not None and row.spec.channel_ratio < 1
    table = next(project.folder.rglob("leaderboard.md"))
    assert "of BatchNorm's gammas below 0.5" in table.read_text(encoding="utf-8"), "the terminal folds its notes"


def test_sizes_are_pruned_of_their_own_whole(project: Project, outputs: tuple[str, str]) -> None:
    rows = project.rows()
    pruned = {name: row.measurement("share_pruned") for name, row in rows.items()}
    other, cut = pruned["other"], pruned["other-60"]
    assert other is not None and other.value == 0
    assert cut is not None and 0.5 < cut.value < 0.95


def test_the_graft_has_one_rows_backbone_and_the_others_head(project: Project, outputs: tuple[str, str]) -> None:
    rows = project.rows()
    joined, backbone, head = (rows[name].spec for name in ("nas_final", "one-shot", "round-2"))
    assert joined is not None and backbone is not None and head is not None
    assert joined.kept[0] == backbone.kept[0] and joined.kept[-1] == head.kept[-1]
    assert joined.kept[-1] != backbone.kept[-1]


def test_the_table_comes_again_from_the_database_alone(project: Project, outputs: tuple[str, str]) -> None:
    shutil.rmtree(project.folder / "runs" / "checkpoints")
    report = [sys.executable, "-m", "search.report", "--study", "by-hand", "--project", str(project.folder / "runs")]
    done = subprocess.run(report, capture_output=True, text=True, cwd=ROOT, timeout=WITHIN_S)
    assert done.returncode == 0, done.stderr
    for name in project.rows():
        assert name in done.stdout
