"""Three objectives and a limit on memory, by the whole command on digits; then mAP75 as an objective."""

from __future__ import annotations

import csv
import itertools
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import optuna
import pytest

from objectives.data.digit_scenes import write_digits
from search.record.trial import Outcome, TrialRecord
from search.store.base import Store, StudyEntry
from search.store.sql import open_store

pytestmark = pytest.mark.slow(file_s=130)

ROOT = Path(__file__).resolve().parents[2]
WITHIN_S = 480
LIMIT_MIB = 8
"""Below the whole network, which is trial 0; above one of three quarters of its channels."""
THREE = "objectives={map50_95: maximize, latency_ms: minimize, memory_mib: minimize}"
SHORT = "batch: 8, optimizer: AdamW, warmup_epochs: 0"


@dataclass(frozen=True)
class Project:
    """A run folder and a small data set."""

    folder: Path
    data: Path

    def run(self, name: str, n_trials: int, *overrides: str) -> str:
        """The output of a study on the data; the parent is trained by the first one."""
        recipes = [
            f"parent.recipe={{epochs: 20, lr0: 0.002, val_every: 20, {SHORT}}}",
            f"recipe={{epochs: 2, lr0: 0.001, {SHORT}}}",
            "controls=[{name: uniform-0.5, from: parent, ratio: 0.5}]",
            "space.low=0.5",
            "space.starts=[uniform]",
        ]
        options = [part for override in (*recipes, *overrides) for part in ("-o", override)]
        command = [sys.executable, "-m", "search.run", "--study", "channel_ratio", "--name", name, "--no-confirm"]
        command += ["--data", str(self.data), "--imgsz", "96", "--model", "yolov5n.yaml", "--workers", "2"]
        command += ["--n-trials", str(n_trials), "--project", str(self.folder / "runs"), *options]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=WITHIN_S,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        return done.stdout

    def study(self, name: str) -> tuple[Store, StudyEntry]:
        store = open_store(f"sqlite:///{self.folder / 'runs' / 'yolofront.db'}")
        study = store.latest_study(name)
        assert study is not None
        return store, study


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("three")
    return Project(folder, write_digits(folder / "scenes", scenes={"train": 48, "val": 24, "test": 8}))


@pytest.fixture(scope="module")
def said(project: Project) -> str:
    return project.run("three", 4, THREE, f"limits={{memory_mib: {LIMIT_MIB}}}")


@pytest.fixture(scope="module")
def records(project: Project, said: str) -> tuple[TrialRecord, ...]:
    store, study = project.study("three")
    found = store.records(study)
    store.close()
    return found


def _costs(record: TrialRecord) -> tuple[float, float, float]:
    """What is to be small: the three objectives, accuracy turned round."""
    accuracy, latency, memory = (record.value(name) for name in ("map50_95", "latency_ms", "memory_mib"))
    assert accuracy is not None and latency is not None and memory is not None
    return -accuracy, latency, memory


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    return tuple(one) != tuple(other) and all(a <= b for a, b in zip(one, other, strict=True))


def _volume(points: Sequence[Sequence[float]], worst: Sequence[float]) -> float:
    """The volume that points dominate, summed over the boxes of the grid that their coordinates make."""
    grid = [sorted({*(min(point[axis], end) for point in points), end}) for axis, end in enumerate(worst)]
    total = 0.0
    for cell in itertools.product(*(list(itertools.pairwise(marks)) for marks in grid)):
        if any(all(a <= low for a, (low, _) in zip(point, cell, strict=True)) for point in points):
            size = 1.0
            for low, high in cell:
                size *= high - low
            total += size
    return total


def test_the_stored_front_is_what_nothing_dominates(project: Project, records: tuple[TrialRecord, ...]) -> None:
    store, study = project.study("three")
    front = store.fronts(study)[-1]
    store.close()
    rivals = {r.name: _costs(r) for r in records if r.outcome is Outcome.COMPLETE and r.feasible}
    expected = {name for name, costs in rivals.items() if not any(_dominates(o, costs) for o in rivals.values())}
    assert set(front.members) == expected and len(expected) >= 2
    assert len({costs[0] for costs in rivals.values()}) > 2, "networks that learnt nothing would prove nothing"
    parent = next(record for record in records if record.name == "parent")
    assert front.reference_point == (0.0, *(pytest.approx(1.1 * cost) for cost in _costs(parent)[1:]))
    volume = _volume([rivals[name] for name in front.members], front.reference_point)
    assert front.hypervolume == pytest.approx(volume, rel=1e-9) and volume > 0


def test_a_network_over_the_memory_limit_is_not_trained(records: tuple[TrialRecord, ...]) -> None:
    whole = next(record for record in records if record.number == 0)
    assert whole.outcome is Outcome.RULED_OUT and whole.rungs == ()
    assert re.fullmatch(rf"memory_mib is [\d.]+, limit {LIMIT_MIB}", whole.reason)
    parent = next(record for record in records if record.name == "parent")
    assert not parent.feasible and parent.value("memory_mib") == whole.value("memory_mib")
    for record in records:
        if record.outcome is Outcome.COMPLETE and not record.is_reference:
            assert (record.value("memory_mib") or 0) <= LIMIT_MIB


def test_every_file_of_the_report_has_the_third_objective(project: Project, records: tuple[TrialRecord, ...]) -> None:
    folder = project.folder / "runs" / "three"
    page, table = (folder / "report.html").read_text(), (folder / "leaderboard.md").read_text()
    assert "<button>memory, MiB</button>" in page and '"title":"memory, MiB"' in page
    assert f"memory_mib up to {LIMIT_MIB}" in page
    assert "| size, MiB | memory, MiB | ΔmAP50-95 |" in table and "mAP75" not in table
    assert (folder / "pareto.png").stat().st_size > 20_000
    rows = {row["name"]: row for row in csv.DictReader((folder / "leaderboard.csv").open())}
    assert {name: row["memory_mib"] for name, row in rows.items()} == {
        record.name: "" if (value := record.value("memory_mib")) is None else repr(value) for record in records
    }


def test_the_dashboard_and_the_sampler_have_three_values(project: Project, records: tuple[TrialRecord, ...]) -> None:
    told = optuna.load_study(study_name="three", storage=f"sqlite:///{project.folder / 'runs' / 'yolofront.db'}")
    assert told.metric_names == ["map50_95", "latency_ms", "memory_mib"]
    for record in records:
        if record.number is None or record.outcome is Outcome.DUPLICATE:
            continue
        trial = told.get_trials()[record.number]
        assert trial.user_attrs["memory_mib"] == round(record.value("memory_mib") or 0, 6)
        if record.outcome is Outcome.COMPLETE:
            accuracy, latency, memory = _costs(record)
            assert trial.values == [-accuracy, latency, memory]


def test_what_does_without_a_third_objective_says_so_once(said: str) -> None:
    assert said.count("sampler 'tpe' proposes: 'front' needs two objectives") == 1
    assert said.count("no trial is stopped early: rungs 'front' compares map50_95 and latency_ms only") == 1


def test_map75_is_an_objective_of_a_study_on_the_same_parent(project: Project, said: str) -> None:
    output = project.run("strict", 2, "objectives={map75: maximize, latency_ms: minimize}")
    assert "training parent" not in output, "it is found again, and measured for what this study asks"
    store, study = project.study("strict")
    complete = [record for record in store.records(study) if record.outcome is Outcome.COMPLETE]
    front = store.fronts(study)[-1]
    store.close()
    costs = {r.name: (-(r.value("map75") or 0), r.value("latency_ms") or 0) for r in complete}
    assert set(front.members) == {n for n, c in costs.items() if not any(_dominates(o, c) for o in costs.values())}
    parent = next(record for record in complete if record.name == "parent")
    assert 0 < (parent.value("map75") or 0) < (parent.value("map50") or 0)
    for record in complete:
        assert record.value("map75") is not None and record.value("map75", "test") is not None
        assert record.value("memory_mib") is None, "another study asked for it"
    table = (project.folder / "runs" / "strict" / "leaderboard.md").read_text()
    assert "| mAP50 | mAP75 | P |" in table and "memory" not in table
