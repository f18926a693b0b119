"""A worker is recognised by its process and start time, not by its process number alone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil

from search.work.liveness import CLOCK_TOLERANCE_S, is_alive, may_own, this_worker


def test_this_process_is_alive() -> None:
    assert is_alive(this_worker()) is True


def test_another_process_with_the_same_number_is_not_the_worker() -> None:
    assert is_alive(replace(this_worker(), started=1.0)) is False


def test_a_worker_on_another_host_cannot_be_judged() -> None:
    assert is_alive(replace(this_worker(), host="elsewhere")) is None


def test_an_ended_process_is_dead_even_before_it_is_waited_for() -> None:
    script = (
        "from search.work.liveness import this_worker; w = this_worker(); print(w.pid, w.started, flush=True); input()"
    )
    child = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdin is not None and child.stdout is not None
    pid, started = child.stdout.readline().split()
    worker = replace(this_worker(), pid=int(pid), started=float(started))
    assert is_alive(worker) is True
    child.kill()
    child.stdout.read()  # until the kernel has closed its files: it is a zombie now
    while is_alive(worker):
        pass
    child.wait()
    assert is_alive(worker) is False


def test_a_live_process_may_own_a_folder_that_was_made_after_its_start(tmp_path: Path) -> None:
    assert may_own(os.getpid(), tmp_path)


def test_a_process_that_started_after_the_folders_last_change_does_not_own_it(tmp_path: Path) -> None:
    before_start = psutil.Process().create_time() - CLOCK_TOLERANCE_S - 10
    os.utime(tmp_path, (before_start, before_start))
    assert not may_own(os.getpid(), tmp_path)


def test_a_dead_process_owns_no_folder_even_before_it_is_waited_for(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert may_own(child.pid, tmp_path)
    child.kill()
    give_up = time.monotonic() + 10
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < give_up
    assert not may_own(child.pid, tmp_path)
    child.wait()
    assert not may_own(child.pid, tmp_path)


def test_a_folder_that_is_gone_is_left_to_its_owner(tmp_path: Path) -> None:
    assert may_own(os.getpid(), tmp_path / "removed")
