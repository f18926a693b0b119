"""The whole command, for real: data, parent, donors, trials, database, report; killed, interrupted, continued."""

from __future__ import annotations

import io
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import optuna
import psutil
import pytest
from rich.console import Console

from objectives.data.digit_scenes import write_digits
from search.finish.run_request import RunRequest
from search.finish.study_run import run_study
from search.record.folders import RunFolder
from search.record.trial import Outcome, TrialRecord
from search.store.base import Store, StudyEntry
from search.store.sql import open_store
from search.study.definition import load_study
from spaces.networks.checkpoint import CheckpointStore

pytestmark = pytest.mark.slow(file_s=300)

ROOT = Path(__file__).resolve().parents[2]
N_TRIALS = 3
ONE = ("--workers", "1")
"""Options of a run that has nothing left to train: each worker would load everything first."""
WITHIN_S = 420
"""Longer than any step takes on a slow machine; a step that hangs fails instead of holding up everything."""


class Project:
    """A run folder, a small data set, and the command on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = write_digits(folder / "scenes", scenes={"train": 32, "val": 16, "test": 16})
        (self.data.parent / "labels/train/gone.txt").write_text("0 0.5 0.5 0.5 0.5\n")  # a label without its image
        self.url = f"sqlite:///{folder / 'runs' / 'yolofront.db'}"

    def command(self, *more: str) -> list[str]:
        fixed = ["--study", "nas_head", "--name", "small", "--data", str(self.data), "--imgsz", "64"]
        fixed += ["--model", "yolov5n.yaml", "-o", "scale=0.001"]  # rounds of one epoch each
        quick = ["-o", "recipe.epochs=1", "--n-trials", str(N_TRIALS), "--workers", "2"]
        return [sys.executable, "-m", "search.run", *fixed, *quick, "--project", str(self.folder / "runs"), *more]

    def start(self, *more: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(
            self.command(*more), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )

    def run(self, *more: str) -> tuple[int, str]:
        process = self.start(*more)
        output, _ = process.communicate(timeout=WITHIN_S)
        return process.returncode, output

    def store(self) -> Store:
        return open_store(self.url)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def finished(project: Project) -> str:
    """The study's output, after it was killed with everything it had started, interrupted, and continued."""
    _kill_everything(project, when=lambda: _rows(project) >= 2)
    _interrupt(project, when=lambda: _running(project))
    _kill_everything(project, when=lambda: _running(project))
    code, output = project.run()
    assert code == 0, output
    return output


def test_a_killed_and_interrupted_study_ends_whole(project: Project, finished: str) -> None:
    store = project.store()
    study = _study(store)
    records = store.records(study)
    rows = [record.name for record in records if record.is_reference]
    rounds = ["one-shot", "one-shot-f1", "round-2", "round-2-f1", "round-3", "round-3-f1"]
    grafts = ["nas_final", "nas_final-f1", "one-shot-nas_final", "one-shot-nas_final-f1"]
    by_taylor = ["taylor-1", "taylor-2"]
    assert sorted(rows) == sorted(["parent", *by_taylor, *rounds, "uniform-0.5", "width-0.5", *grafts])
    # Each is made by whoever is free, after what it is made from; the kills decide which of two comes first.
    assert rows[0] == "parent"
    assert [name for name in rows if name in by_taylor] == by_taylor
    assert [name for name in rows if name in (*rounds, *grafts)] == [*rounds, *grafts]
    assert list(study.frozen["donors"]) == by_taylor
    trials = [record for record in records if not record.is_reference and record.outcome is not Outcome.DUPLICATE]
    assert len(trials) == store.counted(study) == N_TRIALS
    assert store.open_attempts(study) == ()
    lineage = {record.name: record.lineage for record in records}
    assert [lineage[name] for name in ("parent", *rounds[::2])] == [None, "parent", "one-shot", "round-2"]
    stored = optuna.load_study(study_name="small", storage=project.url).get_trials()
    assert all(trial.state.is_finished() for trial in stored)


def test_every_row_has_all_its_figures_on_every_split(project: Project, finished: str) -> None:
    store = project.store()
    for record in store.records(_study(store), curves=True):
        if record.outcome is not Outcome.COMPLETE:
            continue
        assert [evaluation.split for evaluation in record.evaluations] == ["val", "test"]
        assert {m.name for m in record.measurements} >= {
            "parameters",
            "flops_g",
            "size_mib",
            "share_pruned",
            "latency_ms",
        }
        latency = record.measurement("latency_ms")
        assert latency is not None and latency.low is not None and latency.high is not None
        assert latency.low <= latency.value <= latency.high
        assert len(record.rungs) == record.epochs
        assert record.evaluations[0].curves is not None


def test_a_checkpoint_holds_what_was_scored(project: Project, finished: str) -> None:
    store = project.store()
    record = next(r for r in store.records(_study(store)) if r.name == "round-3")
    assert record.checkpoint is not None and record.spec is not None
    candidate = CheckpointStore(project.folder / "runs" / "checkpoints").get(record.checkpoint)
    assert candidate.spec == record.spec
    weights = project.folder / "runs" / "checkpoints" / record.checkpoint
    size = record.measurement("size_mib")
    assert size is not None
    on_disk = next(weights.glob("*.safetensors")).stat().st_size / 2**20
    assert on_disk == pytest.approx(size.value, rel=1e-3)  # the header's length may differ by its facts


def test_the_report_and_the_table_are_there(project: Project, finished: str) -> None:
    folder = project.folder / "runs" / "small"
    assert {path.name for path in folder.iterdir()} >= {
        "report.html",
        "pareto.png",
        "leaderboard.md",
        "leaderboard.csv",
        "pictures.json",
    }
    report = (folder / "report.html").read_text()
    assert report.count("<use href=") == 12, "six pictures, of the parent and another"
    assert report.count('class="confusion"') == 2
    assert "where the time went" in finished


def test_the_same_command_again_only_reports(project: Project, finished: str) -> None:
    before = project.store().records(_study(project.store()))
    code, output = project.run(*ONE)
    assert code == 0, output
    assert project.store().records(_study(project.store())) == before


def test_python_continues_the_same_study(project: Project, finished: str) -> None:
    runs = RunFolder(project.folder / "runs")
    overrides = ["scale=0.001", "recipe.epochs=1"]
    definition = load_study(
        "nas_head", overrides, name="small", data=project.data, imgsz=64, model="yolov5n.yaml", n_trials=N_TRIALS
    )
    printed = io.StringIO()
    finish = run_study(RunRequest(definition, runs, runs.default_storage, resume=True), Console(file=printed))
    assert (finish.why, finish.error, finish.exit_code) == ("done", "", 0)
    assert f"study small: {N_TRIALS} of {N_TRIALS} trials done" in printed.getvalue()


def test_the_front_is_confirmed_when_the_study_ends(project: Project, finished: str) -> None:
    store = project.store()
    study = _study(store)
    newest = store.confirmations(study)[-1]
    assert {member.name for member in newest.members} >= {*store.fronts(study)[-1].members, "parent"}
    assert f"latencies: {len(newest.members)} networks re-measured side by side" in finished


def test_a_changed_definition_is_refused_with_what_differs(project: Project, finished: str) -> None:
    code, output = project.run("-o", "recipe.epochs=2")
    assert code == 3
    assert "recipe.epochs: stored 1, asked 2" in output
    assert "--new" in output


def test_other_data_under_the_same_path_is_refused(project: Project, finished: str) -> None:
    label = next((project.data.parent / "labels" / "val").glob("*.txt"))
    original = label.read_text()
    label.write_text("".join(original.splitlines(keepends=True)[1:]))
    try:
        code, output = project.run(*ONE)
    finally:
        label.write_text(original)
    assert code == 3, output
    assert "other content of: data" in output


def test_networks_are_polished_once_whatever_kills_the_command(project: Project, finished: str) -> None:
    trials = [r.name for r in project.store().records(_study(project.store())) if r.outcome is Outcome.COMPLETE]
    target = _study(project.store()).frozen["target"]
    measured = project.store().latencies(target)
    members = [next(name for name in trials if name.startswith("trial")), "round-3"]
    polish = ["--study", "small", "--project", str(project.folder / "runs"), "--epochs", "2"]
    command = [sys.executable, "-m", "search.polish", *polish, "--records", ",".join(members)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)
    _wait(process, lambda: len(_polished(project)) == 1)
    process.kill()
    process.wait()
    again = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=WITHIN_S)
    assert again.returncode == 0, again.stderr
    assert f"{members[0]} polished: already stored" in again.stdout
    rows = _polished(project)
    assert [row.lineage for row in rows] == members
    assert [row.name for row in rows] == [f"{name} polished" for name in members]
    for row in rows:
        before = next(r for r in project.store().records(_study(project.store())) if r.name == row.lineage)
        assert row.spec == before.spec and row.checkpoint != before.checkpoint
        assert [each.epoch for each in row.rungs] == [1, 2]
        # A row keeps its first figure, even if the study measured that shape again because other work had disturbed it.
        assert row.value("latency_ms") in [entry.measurement.value for entry in measured]
        assert [each.split for each in row.evaluations] == ["val", "test"]
    assert project.store().latencies(target) == measured, "an equal shape is not measured again"


def _polished(project: Project) -> list[TrialRecord]:
    store = project.store()
    rows = [record for record in store.records(_study(store)) if record.is_polished]
    store.close()
    return rows


def _study(store: Store) -> StudyEntry:
    study = store.latest_study("small")
    assert study is not None
    return study


def _rows(project: Project) -> int:
    if not Path(project.url.removeprefix("sqlite:///")).exists():
        return 0
    store = project.store()
    study = store.latest_study("small")
    count = 0 if study is None else len(store.records(study))
    store.close()
    return count


def _running(project: Project) -> bool:
    """Return whether a trial is under way that a live worker holds."""
    store = project.store()
    study = store.latest_study("small")
    attempts = () if study is None else store.open_attempts(study)
    store.close()
    return any(a.number is not None and a.worker is not None and psutil.pid_exists(a.worker.pid) for a in attempts)


def _wait(process: subprocess.Popen[str], when: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not when():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, "the moment to interrupt never came"
        time.sleep(0.05)


def _kill_everything(project: Project, when: Callable[[], bool]) -> None:
    process = project.start()
    _wait(process, when)
    time.sleep(random.Random(3).uniform(0, 1))  # anywhere in what comes next
    tree = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    for child in tree:
        child.kill()
    process.wait()


def _interrupt(project: Project, when: Callable[[], bool]) -> None:
    process = project.start()
    _wait(process, when)
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 143, output
    assert time.monotonic() - begun < 10, "an interrupted run has to end within 10 s"
    assert "trials were released" in output
    store = project.store()
    assert all(attempt.worker is None for attempt in store.open_attempts(_study(store)))
    store.close()
