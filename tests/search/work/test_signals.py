"""A signal to the whole process group ends a run as interrupted, never as done. Real processes, scripted work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from search.cli.command import EXIT_OF_SIGNAL, Exit, run_command
from search.record.events import Event, Note
from search.work import supervisor
from search.work.supervisor import Supervisor
from tests.search.work.scripted_workers import job, run_scripted

ROOT = Path(__file__).resolve().parents[3]
WITHIN_S = 60.0
"""Longer than the end of a run takes on a slow machine."""
RUN = """
import sys
from dataclasses import replace
from pathlib import Path
from search.record.events import Activity, Note
from search.work import supervisor
from tests.search.work.scripted_workers import job, run_scripted

supervisor.run_worker = run_scripted
first = job(Path(sys.argv[1]), "waiting in trial")

def show(worker, event):
    if isinstance(event, Note):
        print("note:", event.line, flush=True)
    elif isinstance(event, Activity):
        print("works", flush=True)

if __name__ == "__main__":
    end = supervisor.Supervisor([first, replace(first, index=1)], show, lambda trial, cause: None).run()
    print(end.why, flush=True)
    sys.exit(end.exit_code)
"""
"""A run of two workers that wait until they are interrupted."""


def start_run(folder: Path) -> subprocess.Popen[str]:
    """A run in a process group of its own, whose workers both work."""
    program = folder / "run_two_workers.py"
    program.write_text(RUN)
    run = subprocess.Popen(
        [sys.executable, str(program), str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )
    assert run.stdout is not None
    assert [run.stdout.readline() for _ in range(2)] == ["works\n", "works\n"]
    return run


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2], ids=lambda number: number.name)
def test_a_signal_to_the_whole_group_ends_the_run_as_interrupted(number: signal.Signals, tmp_path: Path) -> None:
    run = start_run(tmp_path)
    workers = psutil.Process(run.pid).children(recursive=True)
    os.killpg(run.pid, number)
    output, _ = run.communicate(timeout=WITHIN_S)
    assert (run.returncode, output) == (EXIT_OF_SIGNAL[number], "interrupted\n")
    assert not psutil.wait_procs(workers, timeout=WITHIN_S)[1]


def test_a_signal_that_reaches_one_process_after_the_other_starts_no_worker_again(tmp_path: Path) -> None:
    """So do `scancel` and other senders that know the processes by their numbers."""
    run = start_run(tmp_path)
    for child in psutil.Process(run.pid).children(recursive=True):
        child.terminate()
        time.sleep(0.1)
    run.terminate()
    output, _ = run.communicate(timeout=WITHIN_S)
    assert (run.returncode, output) == (Exit.TERMINATED, "interrupted\n")


def test_a_cancelled_run_that_was_told_to_come_back_before_does_not_come_back(tmp_path: Path) -> None:
    run = start_run(tmp_path)
    os.kill(run.pid, signal.SIGUSR2)
    os.kill(run.pid, signal.SIGTERM)
    run.communicate(timeout=WITHIN_S)
    assert run.returncode == Exit.TERMINATED


def test_a_signal_in_the_moment_in_which_the_last_worker_is_done_is_no_ending_of_the_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "run_worker", run_scripted)
    notes: list[Event] = []
    end = Supervisor([job(tmp_path, "signals its run")], lambda _, event: notes.append(event), lambda *_: None).run()
    assert (end.why, end.exit_code) == ("interrupted", Exit.TERMINATED)
    assert not any(isinstance(event, Note) for event in notes)


def test_a_run_whose_database_stays_away_may_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "run_worker", run_scripted)
    end = Supervisor([job(tmp_path, "without its database")], lambda *_: None, lambda *_: None).run()
    assert (end.why, end.exit_code) == ("error", Exit.COME_BACK), end.error


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
def test_a_command_that_is_told_to_come_back_before_its_workers_start_says_so_by_its_exit_code(
    number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(number)

    def command(_arguments: list[str]) -> int:
        signal.raise_signal(number)
        raise AssertionError("not interrupted")

    assert run_command(command, []) == Exit.COME_BACK
    assert capsys.readouterr().err == "error: interrupted; the same command continues\n"
    assert signal.getsignal(number) is before
