"""A second target, for real: the networks of a small study on another engine; killed, continued, with gaps filled."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from objectives.data.digit_scenes import write_digits
from search.record.trial import Outcome, TrialRecord
from search.run import main
from search.store.base import Store, StudyEntry
from search.store.sql import open_store
from search.study.faults import DefinitionError

ROOT = Path(__file__).resolve().parents[2]
WITHIN_S = 420
OTHER = "small@openvino-cpu"
SOURCE = (
    "-o", "parent.recipe.epochs=2", "-o", "controls=[{name: half, from: parent, ratio: 0.5}]",
    "--model", "yolov5n.yaml", "--imgsz", "64", "--epochs", "1", "--n-trials", "3",
)  # fmt: skip


@dataclass(frozen=True)
class Project:
    """A run folder and its database."""

    folder: Path

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    def start(self, *options: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "search.run", *options, "--project", str(self.runs), "--no-confirm"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=self.folder
        )

    def run(self, *options: str) -> tuple[int, str]:
        process = self.start(*options)
        output, _ = process.communicate(timeout=WITHIN_S)
        return process.returncode, output

    def retarget(self, target: str, *more: str) -> str:
        code, output = self.run("--study", "small", "--retarget", target, *more)
        assert code == 0, output
        return output

    def store(self) -> Store:
        return open_store(f"sqlite:///{self.runs / 'yolofront.db'}")

    def study(self, name: str) -> StudyEntry:
        found = self.store().latest_study(name)
        assert found is not None
        return found

    def records(self, name: str) -> dict[str, TrialRecord]:
        study = self.store().latest_study(name)
        return {} if study is None else {each.name: each for each in self.store().records(study, curves=True)}

    @property
    def checkpoints(self) -> set[str]:
        return {path.name for path in (self.runs / "checkpoints").iterdir()}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A finished study of three trials, measured by onnxruntime."""
    project = Project(tmp_path_factory.mktemp("retarget"))
    data = write_digits(project.folder / "scenes", scenes={"train": 32, "val": 16, "test": 16})
    code, output = project.run("--study", "channel_ratio", "--name", "small", "--data", str(data), *SOURCE)
    assert code == 0, output
    return project


@pytest.fixture(scope="module")
def trained(project: Project) -> set[str]:
    """The checkpoints of the finished study."""
    return project.checkpoints


@dataclass(frozen=True)
class Retargeted:
    """The study on another engine: what the commands said, and what was stored between them.

    Attributes:
        without: Output of the command after one that was killed, while the weights of a trial were not here.
        measured_before: Number of networks that the killed one had measured.
        had: Names of the networks after it.
        complete: Output of the command when the weights were here again.
    """

    without: str
    measured_before: int
    had: set[str]
    complete: str


@pytest.fixture(scope="module")
def retargeted(project: Project, trained: set[str]) -> Retargeted:
    """The commands for another engine, the first of which was killed with what it had measured."""
    folder = project.runs / "checkpoints" / str(project.records("small")["trial 1"].checkpoint)
    away = folder.rename(project.folder / "away")
    process = project.start("--study", "small", "--retarget", "openvino-cpu")
    until = time.monotonic() + WITHIN_S
    while len(project.records(OTHER)) < 2 and process.poll() is None and time.monotonic() < until:
        time.sleep(0.1)
    process.kill()
    process.communicate(timeout=WITHIN_S)
    before = len(project.records(OTHER))
    assert before >= 2
    without, had = project.retarget("openvino-cpu"), set(project.records(OTHER))
    away.rename(folder)
    return Retargeted(without, before, had, project.retarget("openvino-cpu"))


@pytest.mark.slow(file_s=200)
def test_only_what_a_killed_command_had_not_measured_is_measured(retargeted: Retargeted) -> None:
    assert retargeted.without.count("timing ") == len(retargeted.had) - retargeted.measured_before


@pytest.mark.slow
def test_every_network_has_the_others_engine_latency_and_its_own_accuracy(
    project: Project, retargeted: Retargeted
) -> None:
    old, new = project.records("small"), project.records(OTHER)
    assert list(new) == ["parent", "half", "small/trial 0", "small/trial 2", "small/trial 1"], "the last one came later"
    target = project.study(OTHER).frozen["target"]
    assert target != project.study("small").frozen["target"]
    for name, row in new.items():
        before = old[name.removeprefix("small/")]
        latency = row.measurement("latency_ms")
        assert latency is not None and latency.target == target and latency.runs > 0
        assert (row.checkpoint, row.evaluations, row.rungs) == (before.checkpoint, before.evaluations, before.rungs)
        assert row.evaluations[0].curves is not None
        assert (row.params, row.value("flops_g")) == (before.params, before.value("flops_g"))
        assert [each.epochs for each in row.ancestors] == [each.epochs for each in before.ancestors]
        assert all("/" in each.name for each in row.ancestors if each.name.endswith(tuple("0123456789")))


@pytest.mark.slow
def test_nothing_was_trained(project: Project, trained: set[str], retargeted: Retargeted) -> None:
    assert project.checkpoints == trained
    for output in (retargeted.without, retargeted.complete):
        assert "training" not in output.replace("no training", "").replace("of training", "")
    assert project.store().counted(project.study(OTHER)) == 0


@pytest.mark.slow
def test_the_front_is_that_of_the_other_engine(project: Project, retargeted: Retargeted) -> None:
    study, records = project.study(OTHER), project.records(OTHER)
    front = project.store().fronts(study)[-1]
    points = {name: (each.value("latency_ms") or 0.0, each.value("map50_95") or 0.0) for name, each in records.items()}
    for name in front.members:
        ms, reached = points[name]
        assert not any(other < ms and accuracy > reached for other, accuracy in points.values())
    assert study.frozen["reference_point"] == [0.0, pytest.approx(1.1 * points["parent"][0])]
    assert {path.name for path in (project.runs / OTHER).iterdir()} >= {"report.html", "pareto.png", "leaderboard.csv"}
    assert "the networks of small on openvino-cpu, no training" in retargeted.complete


@pytest.mark.slow
def test_weights_that_are_not_here_are_left_out_until_they_are(project: Project, retargeted: Retargeted) -> None:
    told = "1 of 5 networks of small are left out: their weights are not on this machine"
    assert retargeted.without.count(told) == 1
    assert "left out" not in retargeted.complete and retargeted.complete.count("timing ") == 1
    assert set(project.records(OTHER)) - retargeted.had == {"small/trial 1"}


@pytest.mark.slow
def test_a_parent_that_is_not_here_and_an_engine_that_is_missing_store_nothing(
    project: Project, retargeted: Retargeted
) -> None:
    folder = project.runs / "checkpoints" / str(project.records("small")["parent"].checkpoint)
    away = folder.rename(project.folder / "away")
    code, found = project.run("--study", "small", "--retarget", "ort-cpu-int8")
    away.rename(folder)
    assert (code, "the weights of 'parent' of study 'small' are not on this machine" in found) == (2, True), found
    code, found = project.run("--study", "small", "--retarget", "torch-cpu-fp16")
    assert (code, "error: target:" in found) == (2, True), found
    assert project.store().latest_study("small@ort-cpu-int8") is None
    assert project.store().latest_study("small@torch-cpu-fp16") is None


@pytest.mark.slow
def test_gaps_are_filled_by_a_few_trials(project: Project, retargeted: Retargeted) -> None:
    """The last test: it trains."""
    found = project.retarget("openvino-cpu", "--budget", "6epochs", "--repeat", "0")
    assert "budget of 6 epochs: 0 for the donors" in found
    trials = [each for each in project.records(OTHER).values() if not each.is_reference]
    assert trials and [each.number for each in trials] == list(range(len(trials)))
    complete = [each for each in trials if each.outcome is Outcome.COMPLETE]
    continued = [each for each in complete if each.lineage and each.epochs > 1]
    assert continued, "a finalist continues a network, a copied one or a new one"
    names = set(project.records(OTHER))
    assert all(ancestor.name in names for each in complete for ancestor in each.ancestors)


@pytest.mark.parametrize(
    "options, message",
    [
        (("--study", "nas_hed"), "no study 'nas_hed' is stored; did you mean nas_head?"),
        (("--study", "nas_head", "--data", "my.yaml"), "--data does not go with --retarget"),
        (("--study", "nas_head", "--seed", "0"), "--seed does not go with --retarget"),
        (("--study", "nas_head", "--dry-run"), "--dry-run does not go with --retarget"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    store = open_store(url)
    store.add_study("nas_head", {}, ())
    store.close()
    with pytest.raises(DefinitionError, match="^" + message.replace("?", r"\?")):
        main([*options, "--retarget", "openvino-cpu", "--storage", url, "--project", str(tmp_path)])
