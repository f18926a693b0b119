"""Whether a worker lives is told from its process, not from its number alone."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

from search.work.liveness import is_alive, this_worker


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
