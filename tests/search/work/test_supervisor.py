"""What ends a run ends its workers: a killed supervisor, a closed output, a Ctrl-C in the first second."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import IO

import psutil
import pytest

from objectives.data.digit_scenes import write_digits
from search import run
from search.cli.command import Exit, Terminated, run_command
from search.finish import study_workers
from search.store.sql import open_store
from search.study.definition import load_study
from search.work.liveness import this_worker
from search.work.supervisor import RunEnd
from tests.search.store.examples import OBJECTIVES, begin

ROOT = Path(__file__).resolve().parents[3]
WITHIN_S = 60
"""Longer than a worker takes to load on a slow machine; one that stays behind fails the test."""


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """A run on a small data set, in plain lines."""
    data = write_digits(tmp_path / "scenes", scenes={"train": 8, "val": 4, "test": 4})
    fixed = ["--study", "nas_head", "--data", str(data), "--imgsz", "64", "--workers", "2"]
    return [sys.executable, "-m", "search.run", *fixed, "--project", str(tmp_path / "runs")]


@pytest.mark.parametrize("why", ["interrupted", "error"])
def test_a_trial_claimed_just_before_its_worker_was_interrupted_is_released(
    why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signal comes after the database gave it, before the worker has it."""
    url, ended = f"sqlite:///{tmp_path / 'study.db'}", subprocess.Popen([sys.executable, "-c", ""])
    definition = load_study("nas_head")
    with closing(open_store(url)) as store:
        study = store.add_study(definition.name, definition.as_plain(), OBJECTIVES)
        held = begin(store, study, 0, replace(this_worker(), pid=ended.pid))
        ended.wait()
        left = SimpleNamespace(run=lambda: RunEnd(why, "as asked", int(Exit.TERMINATED), {}))
        monkeypatch.setattr(study_workers, "Supervisor", lambda jobs, show, note_death: left)
        place = ["--study", "nas_head", "--storage", url, "--project", str(tmp_path / "runs")]
        assert run_command(run.main, place) == Exit.TERMINATED
        (attempt,) = store.open_attempts(study)
        assert (attempt.number, attempt.worker) == (held.number, None)


@pytest.mark.slow
def test_workers_end_with_a_killed_supervisor_also_while_they_load(command: list[str]) -> None:
    run = _start(command)
    _read_until(run, "loading")
    workers = _workers(run)
    assert len(workers) == 2
    run.kill()
    run.wait()
    _, alive = psutil.wait_procs(workers, timeout=WITHIN_S)
    assert not alive


def test_workers_end_when_nobody_reads_the_output_any_more(command: list[str]) -> None:
    run = _start(command)
    _read_until(run, "loading")
    workers = _workers(run)
    _output(run).close()  # as `| head` does
    _, alive = psutil.wait_procs(workers, timeout=WITHIN_S)
    assert not alive
    assert run.wait(WITHIN_S) != 0


def test_an_interrupt_of_the_whole_group_before_the_workers_listen_is_one_line(command: list[str]) -> None:
    run = _start(command)
    _read_until(run, "study nas_head")
    deadline = time.monotonic() + WITHIN_S
    while not _workers(run):  # the first exists: it is at the start of Python's own start
        assert time.monotonic() < deadline
    os.killpg(run.pid, signal.SIGINT)
    output, _ = run.communicate(timeout=WITHIN_S)
    assert run.returncode == Exit.INTERRUPTED, output
    assert "Traceback" not in output
    assert "trials were released" in output


def test_sigterm_outside_of_the_search_is_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    def command(_arguments: list[str]) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(WITHIN_S)
        raise AssertionError("not interrupted")

    before = signal.getsignal(signal.SIGTERM)
    assert run_command(command, []) == Exit.TERMINATED
    assert capsys.readouterr().err == "error: terminated\n"
    assert signal.getsignal(signal.SIGTERM) is before
    assert not issubclass(Terminated, Exception)


def test_too_many_workers_for_the_machine_are_refused(command: list[str]) -> None:
    run = _start([*command, "--workers", "1000"])
    output, _ = run.communicate(timeout=WITHIN_S)
    assert run.returncode == Exit.USAGE
    assert "--workers is 1000; it must be at most" in output


def test_fewer_than_no_repeated_training_is_refused(command: list[str]) -> None:
    run = _start([*command, "--repeat", "-1"])
    output, _ = run.communicate(timeout=WITHIN_S)
    assert run.returncode == Exit.USAGE
    assert "--repeat is -1; it must be 0 or a number of trials" in output


def test_a_full_disk_is_reported_with_its_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    def command(_arguments: list[str]) -> int:
        with open("/dev/full", "w") as disk:
            disk.write("a checkpoint")
        raise AssertionError("the disk took it")

    assert run_command(command, []) == Exit.COME_BACK
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.endswith("the disk is full; free some space, then run the same command again; nothing is lost\n")


def test_a_run_folder_that_cannot_be_made_is_one_line(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    run = _start([*command, "--storage", f"sqlite:///{tmp_path / 'elsewhere.db'}"])
    output, _ = run.communicate(timeout=WITHIN_S)
    assert run.returncode == Exit.ERROR
    assert "Traceback" not in output
    assert len([line for line in output.splitlines() if line.startswith("error: ")]) == 1


def _start(command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )


def _output(run: subprocess.Popen[str]) -> IO[str]:
    assert run.stdout is not None
    return run.stdout


def _read_until(run: subprocess.Popen[str], words: str) -> None:
    for line in _output(run):
        if words in line:
            return
    raise AssertionError(f"the run ended before it said '{words}'")


def _workers(run: subprocess.Popen[str]) -> list[psutil.Process]:
    children = psutil.Process(run.pid).children()
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]
