"""A worker that dies or hangs is replaced; the time of a run ends it, whatever hangs. Real processes, scripted work."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from search.cli.command import Exit
from search.record.events import Event, Note
from search.record.trial import Outcome
from search.store.sql import open_store
from search.work import supervisor
from search.work.job import Job, jobs_for_workers
from search.work.lone_process import TIME_IS_UP, LoneProcess
from search.work.supervisor import RunEnd, Supervisor
from tests.search.work import quick_trials
from tests.search.work.scripted_workers import job, run_scripted

ENOUGH_S = 60.0
"""Far more than a run of these takes; a run that ends later hung."""
HUNG_AFTER_S = 6.0
"""More than the start of a process takes."""
HANGS = ("stopped", "deadlocked", "blocked")


@pytest.fixture(autouse=True)
def _scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "run_worker", run_scripted)


def run(*jobs: Job) -> tuple[RunEnd, list[str]]:
    """Run workers to their end. Return it, and the lines that were shown or noted of deaths."""
    lines: list[str] = []

    def note_death(trial: int, cause: str) -> None:
        lines.append(f"trial {trial}: {cause}")
        if jobs[0].url:
            with closing(open_store(jobs[0].url)) as store:
                study = store.latest_study("quick")
                assert study is not None
                store.note_death(study, trial, cause)

    def show(_worker: int, event: Event) -> None:
        if isinstance(event, Note):
            lines.append(event.line)

    begun = time.monotonic()
    end = Supervisor(list(jobs), show, note_death).run()
    assert time.monotonic() - begun < ENOUGH_S
    return end, lines


def test_workers_that_hang_are_killed_and_replaced_and_it_is_noted_why(tmp_path: Path) -> None:
    hanging = [replace(job(tmp_path, f"{how} in trial", "done"), index=i) for i, how in enumerate(HANGS)]
    end, lines = run(*(replace(each, hung_after_s=HUNG_AFTER_S) for each in hanging))
    assert (end.why, end.exit_code) == ("done", Exit.DONE)
    for worker in range(len(HANGS)):
        died = next(line for line in lines if line.startswith(f"worker {worker} was ended after no progress for "))
        assert "trial 3: training" in died and died.endswith("starting it again")
    assert sum(line.startswith("trial 3: no progress for ") for line in lines) == len(HANGS)


def test_a_trial_may_kill_a_lone_worker_more_often_than_a_worker_may_die_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "MAX_DEATHS", 2)
    end, lines = run(job(tmp_path, *["segfault in trial"] * 2, "done"))
    assert end.why == "done"
    deaths = [
        line
        for line in lines
        if "died by signal 11 (Segmentation fault) (trial 3: training); starting it again" in line
    ]
    assert len(deaths) == 2


@pytest.mark.slow
def test_a_trial_that_kills_each_worker_is_recorded_and_the_study_reaches_its_trials(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'deadly.db'}"
    study = quick_trials.begin_study(url)
    jobs = jobs_for_workers(replace(job(tmp_path, "deadly trials"), url=url, n_trials=6), range(2))
    end, lines = run(*jobs)
    assert end.why == "done"
    with closing(open_store(url)) as store:
        records = {record.number: record for record in store.records(study)}
        assert store.open_attempts(study) == ()
        assert store.counted(study) == 6
    assert records[1].outcome is Outcome.FAILED
    assert records[1].reason.startswith("its workers died 2 times")  # the other worker may be faster than the last note
    assert lines.count("trial 1: signal 11 (Segmentation fault)") == 2


def test_a_worker_that_asks_for_a_new_process_has_not_died(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "MAX_DEATHS", 1)
    end, lines = run(job(tmp_path, "renew", "renew", "done"))
    assert (end.why, end.exit_code) == ("done", Exit.DONE)
    assert lines == ["worker 0: a new process goes on, because memory ran out in the last trial"] * 2


def test_workers_that_die_without_a_trial_end_the_run_which_says_of_what(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "MAX_DEATHS", 2)
    end, lines = run(job(tmp_path, "killed"))
    assert (end.why, end.exit_code) == ("error", Exit.ERROR)
    how = "worker 0 died by signal 9 (Killed) (starting)"
    assert end.error == f"{how}, 2 times in a row without a trial to blame; its log has more"
    assert lines[-1] == f"{end.error}; it is not started again"


def test_a_worker_that_cannot_live_does_not_end_the_run_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "MAX_DEATHS", 2)
    other = replace(job(tmp_path, "terminated in trial", "done"), index=1)
    end, lines = run(job(tmp_path, "killed"), other)
    assert (end.why, end.exit_code) == ("done", Exit.DONE)
    assert any(line.startswith("worker 0 ") and line.endswith("it is not started again") for line in lines)
    assert any(line.startswith("worker 1 died by a signal from outside") for line in lines)


def test_the_time_of_a_run_ends_it_whatever_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "TIMEOUT_GRACE_S", 0.2)
    monkeypatch.setattr(supervisor, "WORKER_GRACE_S", 0.5)
    deadline = time.monotonic() + 5.0
    jobs = [job(tmp_path, "stopped in trial", deadline=deadline), job(tmp_path, "deaf in trial", deadline=deadline)]
    end, lines = run(*(replace(each, index=index) for index, each in enumerate(jobs)))
    assert (end.why, end.exit_code) == ("timeout", Exit.DONE)
    assert [line.partition(" (")[0] for line in lines] == [f"worker {index}: the time is up" for index in (0, 1)]
    assert all(line.endswith("); the next run goes on with this") for line in lines)


@pytest.mark.parametrize(
    ("word", "deadline_s", "error"),
    [
        ("done", None, ""),
        ("stopped", None, "no progress for "),
        ("segfault", None, "its process died by signal 11"),
        ("deadlocked", 1.0, TIME_IS_UP),
    ],
)
def test_a_step_after_the_last_trial_ends_too(
    word: str, deadline_s: float | None, error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.work.lone_process.TIMEOUT_GRACE_S", 0.2)
    monkeypatch.setattr("search.work.lone_process.WORKER_GRACE_S", 0.5)
    deadline = None if deadline_s is None else time.monotonic() + deadline_s
    hung_after_s = HUNG_AFTER_S if word == "stopped" else ENOUGH_S
    begun = time.monotonic()
    said = LoneProcess(deadline, hung_after_s, print).run(run_scripted, job(tmp_path, word), "scripted")
    assert said.startswith(error) and bool(said) == bool(error)
    assert time.monotonic() - begun < ENOUGH_S


def test_a_command_that_makes_no_progress_is_ended_and_one_that_makes_some_is_not() -> None:
    script = """
import threading, time
from search.cli import hard_end
from spaces.steps import note_step
hard_end.WATCH_LOOK_S = 0.05
with hard_end.ended_when_hung(0.3):
    for _ in range(10):
        time.sleep(0.1)
        note_step()
    print("works", flush=True)
    threading.Event().wait()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=ENOUGH_S)
    assert (done.returncode, done.stdout) == (Exit.ERROR, "works\n")
    assert done.stderr.startswith("error: the command made no progress for 0 s; it hung in threading.py, line ")


def test_a_measurement_elsewhere_that_hangs_is_noted_and_the_program_ends() -> None:
    script = """
import threading
from objectives.remote.time_limit import ended_after, longest_s
with ended_after(0.2, "shape-3", lambda: print("noted", longest_s(1.4), longest_s(100.0), flush=True)):
    threading.Event().wait()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=ENOUGH_S)
    assert (done.returncode, done.stdout) == (Exit.ERROR, "noted 600.0 1000.0\n")
    assert done.stderr == "error: shape-3 did not end within 0 s; the same command continues with the next\n"


def test_a_command_that_hangs_after_its_time_is_ended_with_its_processes() -> None:
    script = """
import subprocess, sys, threading
from search.cli import hard_end
hard_end.HARD_END_S = 0.2
with hard_end.ended_after(0.1):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
    print(child.pid, flush=True)
    threading.Event().wait()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=ENOUGH_S)
    assert done.returncode == Exit.ERROR
    assert done.stderr.startswith("error: the command did not end 0 s after its --timeout; it hung in threading.py, ")
    with suppress(psutil.NoSuchProcess):
        psutil.Process(int(done.stdout)).wait(10)
