"""Faults that `make chaos` makes within workers, and what it expects after them."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import cast

import psutil
import pytest

from benchmarks.disturbing import disturbances
from benchmarks.disturbing.commands import Command, is_worker
from benchmarks.disturbing.databases import LockedFile
from benchmarks.disturbing.deadly import check_deadly
from benchmarks.disturbing.run_folder import BlockedFileSystem, MovedClock, SmallDisk
from benchmarks.disturbing.watched_study import WatchedStudy
from benchmarks.disturbing.worker_faults import BLOCKED, DEADLOCK, DEADLY, FILE_SYSTEM, SEGFAULT
from search.record.trial import Outcome
from tests.search.work import quick_trials

SCRIPT = """
from benchmarks.disturbing.worker_faults import install
install()
print("ready", flush=True)
while True:
    pass
"""


@pytest.mark.parametrize("number", [DEADLOCK, FILE_SYSTEM])
def test_a_process_that_gets_the_signal_hangs_but_lives(number: int, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)  # its opening waits for a reader
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True, env={**os.environ, BLOCKED: str(fifo)}
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        time.sleep(0.3)
        used = psutil.Process(process.pid).cpu_times().user
        time.sleep(0.3)
        assert process.poll() is None
        assert psutil.Process(process.pid).cpu_times().user == used
    finally:
        process.kill()
        process.wait()


def test_a_deadly_trial_ends_its_process_each_time() -> None:
    script = """
from types import SimpleNamespace
from benchmarks.disturbing import worker_faults
worker_faults.DIES_AFTER_S = 0.01
worker_faults.install()
from search.work import worker
attempt = lambda number: SimpleNamespace(number=number, tries=1, deaths=())
worker.reason_to_give_up(attempt(0)); print("lives", flush=True)
worker.reason_to_give_up(attempt(1))
import time; time.sleep(20)
"""
    environment = {**os.environ, DEADLY: f'{{"1": "{SEGFAULT}"}}'}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, timeout=60)
    assert (done.stdout, done.returncode) == ("lives\n", -signal.SIGSEGV)


class Worker:
    """Stands for a worker's process."""

    def __init__(self) -> None:
        self.signals: list[int] = []
        self.lives = True

    def send_signal(self, number: int) -> None:
        self.signals.append(number)

    def status(self) -> str:
        return psutil.STATUS_DISK_SLEEP if self.lives else psutil.STATUS_ZOMBIE

    def is_running(self) -> bool:
        return True


class Blocked:
    """Stands for a file system, and counts its blocks."""

    blocks = 0

    def block(self) -> None:
        self.blocks += 1

    def free(self) -> None:
        self.blocks -= 1


@pytest.fixture
def study(tmp_path: Path) -> WatchedStudy:
    url = f"sqlite:///{tmp_path}/a.db"
    quick_trials.begin_study(url)
    assert quick_trials.work(url, 3, seed=0, trials=quick_trials.QuickTrials(epoch_s=0.0)) == "done"
    watched = WatchedStudy(url, "quick", cast(list[Command], []), lambda line: None)
    watched.look()
    return watched


@pytest.mark.parametrize("number", [2, None])
def test_a_file_system_is_blocked_until_the_trial_is_stored(
    number: int | None, study: WatchedStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, blocked = Worker(), Blocked()
    found = None if number is None else (number, cast(psutil.Process, worker))
    monkeypatch.setattr(disturbances.Victim, "running_trial", lambda self, command=None: found)
    monkeypatch.setattr(disturbances.Victim, "trials_of", lambda self, worker: [number])
    database, disk, clock = LockedFile(tmp_path / "a.db"), cast(SmallDisk, None), cast(MovedClock, None)
    places = (database, disk, clock, cast(BlockedFileSystem, blocked))
    victim = disturbances.Victim(study, *places, random.Random(1), 15.0)
    tried = disturbances.hang_in_file_system(victim)
    assert (tried, blocked.blocks, study.awaited) == ((True, 1, 1) if found else (False, 0, 0))
    study.look()
    study.look()
    assert blocked.blocks == 0
    assert study.awaited == int(tried)  # its process is still there
    worker.lives = False
    study.look()
    assert study.awaited == 0 and worker.signals == ([FILE_SYSTEM] if tried else [])


def test_a_process_that_has_ended_is_no_worker() -> None:
    """Its parent may not have asked for its exit code yet; the workers beside it must be found nevertheless."""

    class Child:
        def __init__(self, ended: bool) -> None:
            self.ended = ended

        def cmdline(self) -> list[str]:
            if self.ended:
                raise psutil.ZombieProcess(1)
            return ["python", "-c", "spawn_main()"]

    found = [is_worker(cast(psutil.Process, Child(ended))) for ended in (True, False)]
    assert found == [False, True]


def test_a_trial_that_was_begun_twice_is_found(study: WatchedStudy) -> None:
    study.tries = {0: 1, 1: 2}
    study.check_tries()
    assert study.faults.stuck == ["trial 1 was begun 2 times"]


def test_deadly_trials_must_have_failed_and_the_others_not(
    study: WatchedStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.disturbing.deadly.TRIALS", 3)
    check_deadly(study, {})
    assert not study.faults.stuck
    check_deadly(study, {1: SEGFAULT})
    assert study.faults.stuck == [f"trial 1 is stored as {Outcome.COMPLETE}: "]
