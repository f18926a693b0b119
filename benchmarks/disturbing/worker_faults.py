"""Faults within a worker that cannot be made from outside: deadlocks, waits for a dead file system, deadly trials.

`benchmarks.disturbing.machine` installs them in the processes of a disturbed study. A signal starts a hang; a trial is
deadly by its number.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import FrameType

import psutil

DEADLOCK, FILE_SYSTEM = signal.SIGRTMIN + 1, signal.SIGRTMIN
"""Signals that let a worker hang: in threads that wait for each other, and in a write to a file. It uses neither."""
BLOCKED = "YOLOFRONT_CHAOS_BLOCKED"
"""Environment variable: file on a file system that may be blocked."""
DEADLY = "YOLOFRONT_CHAOS_DEADLY"
"""Environment variable: JSON object with the numbers of deadly trials, and of what each of them dies."""
MEMORY_GROUP = "YOLOFRONT_CHAOS_MEMORY"
"""Environment variable: folder of a control group with a limit on memory; empty if there is none."""
SEGFAULT, CGROUP_MEMORY, ADDRESS_SPACE = "segfault", "memory of a control group", "address space"
"""Everything that a deadly trial may die of."""
DATABASE_CODE = ("/search/store/", "/search/sampler/tables/", "/sqlalchemy/", "/optuna/")
"""Parts of the paths of code that may be within a transaction."""
LOOK_AGAIN_S = 0.05
"""Seconds until a worker that was within a transaction may hang."""
DIES_AFTER_S = 0.5
"""Seconds from a deadly trial's begin to its end."""


def install() -> None:
    """Install the faults that the environment asks for in this process."""
    if BLOCKED in os.environ:
        signal.signal(DEADLOCK, _deadlock)
        signal.signal(FILE_SYSTEM, _write_to_blocked_file)
    if DEADLY in os.environ:
        _let_trials_die({int(number): how for number, how in json.loads(os.environ[DEADLY]).items()})


def _deadlock(_signal: int, _frame: FrameType | None) -> None:
    """Let the main thread wait for a thread that waits for it, as in a deadlocked data loader."""
    lock = threading.Lock()
    with lock:
        loader = threading.Thread(target=lock.acquire, name="loader", daemon=True)
        loader.start()
        loader.join()


def _write_to_blocked_file(number: int, frame: FrameType | None) -> None:
    if _is_in_transaction(frame):  # its locks would stay with a process that nobody can end
        threading.Timer(LOOK_AGAIN_S, os.kill, (os.getpid(), number)).start()
        return
    with Path(os.environ[BLOCKED]).open("ab") as file:
        file.write(b"x")


def _is_in_transaction(frame: FrameType | None) -> bool:
    while frame is not None:
        if any(part in frame.f_code.co_filename for part in DATABASE_CODE):
            return True
        frame = frame.f_back
    return False


def _let_trials_die(deadly: Mapping[int, str]) -> None:
    """Let these trials end their worker, each time a worker begins them."""
    from search.work import deaths, worker

    usual, limits = deaths.reason_to_give_up, resource.getrlimit(resource.RLIMIT_AS)

    def begin(attempt: deaths.Attempt, earlier: deaths.EarlierTakes = deaths.NOTHING_KNOWN) -> str:  # type: ignore[name-defined]
        with suppress(ValueError):
            resource.setrlimit(resource.RLIMIT_AS, limits)  # of the trial before
        reason = usual(attempt, earlier)
        if not reason and attempt.number in deadly:
            threading.Timer(DIES_AFTER_S, _ENDS[deadly[attempt.number]]).start()
        return reason

    worker.reason_to_give_up = begin  # type: ignore[attr-defined]  # the worker's own name for it


def _take_all_memory() -> None:
    """Take more memory than the control group allows: the kernel's out-of-memory killer ends this process."""
    (Path(os.environ[MEMORY_GROUP]) / "cgroup.procs").write_text(f"{os.getpid()}\n")
    taken = []
    while True:
        taken.append(bytearray(os.urandom(1 << 20) * 16))


def _limit_address_space() -> None:
    """Allow less address space than is taken: no memory can be added, and whoever asks for some next fails.

    With a little left, a worker that had trained before finished the trial with the memory that it had.
    """
    allowed = psutil.Process().memory_info().vms // 2
    resource.setrlimit(resource.RLIMIT_AS, (allowed, resource.getrlimit(resource.RLIMIT_AS)[1]))


_ENDS: Mapping[str, Callable[[], None]] = {
    SEGFAULT: lambda: os.kill(os.getpid(), signal.SIGSEGV),
    CGROUP_MEMORY: _take_all_memory,
    ADDRESS_SPACE: _limit_address_space,
}
