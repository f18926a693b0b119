"""Causes of a process's death in words, as far as the kernel tells them, and trials that caused too many of them."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path

from search.kept.takes import EarlierTakes
from search.store.base import Attempt
from search.work.job import HANGS_UNTIL_FAILED, NO_PROGRESS, TRIES_UNTIL_FAILED

USUAL_CAUSE = "out of memory is the usual cause"
"""Cause that is named where none is known."""
NOTHING_KNOWN = EarlierTakes()
"""Earlier takes of a trial of which nothing is kept."""
_CGROUPS = Path("/sys/fs/cgroup")
_MEMORY_KILLER = "the kernel's out-of-memory killer"


@dataclass(frozen=True)
class MemoryKills:
    """Numbers of processes that the kernel has killed because memory ran out; None where it does not tell.

    Attributes:
        own: In the control group of this process: its container, its batch job.
        machine: On the whole machine.
    """

    own: int | None
    machine: int | None

    @classmethod
    def now(cls) -> MemoryKills:
        """Read the present numbers."""
        own = [_count(file) for file in _own_files()]
        return cls(next((count for count in own if count is not None), None), _count(Path("/proc/vmstat")))


def cause_of_death(exit_code: int | None, before: MemoryKills, now: MemoryKills) -> str:
    """Return what a process died of: `signal 11 (Segmentation fault)`, `exit code 1`.

    Args:
        exit_code: As in `multiprocessing.Process.exitcode`: below zero for a signal.
        before: The kernel's numbers when the process was started.
        now: The same after its death.
    """
    if exit_code is None or exit_code >= 0:
        return f"exit code {exit_code}"
    name = f"signal {-exit_code} ({signal.strsignal(-exit_code)})"
    if -exit_code != signal.SIGKILL:
        return name
    if _rose(before.own, now.own):
        return f"{name}, by {_MEMORY_KILLER}"
    if _rose(before.machine, now.machine):  # it killed a process of this machine, perhaps another one
        return f"{name}, probably by {_MEMORY_KILLER}"
    return name


def reason_to_give_up(attempt: Attempt, earlier: EarlierTakes = NOTHING_KNOWN) -> str:
    """Return why a trial is stored as failed instead of being tried again; empty if it is tried."""
    deaths = attempt.deaths[earlier.deaths :]  # those before it last got further do not count
    hangs = [cause for cause in deaths if cause.startswith(NO_PROGRESS)]
    if len(hangs) >= HANGS_UNTIL_FAILED:
        return f"its workers hung {len(hangs)} times, last: {hangs[-1]}"
    died = attempt.tries - earlier.tries
    if died >= TRIES_UNTIL_FAILED:
        times = f"its workers died {died} times"
        return f"{times}, last by {deaths[-1]}" if deaths else f"{times}; {USUAL_CAUSE}"
    stuck = earlier.reason_to_give_up
    return f"{stuck}; its workers died {died} times, last by {deaths[-1]}" if stuck and deaths else stuck


def _rose(before: int | None, now: int | None) -> bool:
    return before is not None and now is not None and now > before


def _own_files() -> list[Path]:
    """Return the files of this process's control group that may hold the number, of both versions of control groups."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    files = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            files.append(_CGROUPS / path.lstrip("/") / "memory.events")
        elif "memory" in controllers.split(","):
            files.append(_CGROUPS / "memory" / path.lstrip("/") / "memory.oom_control")
    return files


def _count(file: Path) -> int | None:
    """Return the number after `oom_kill` in a file of the kernel."""
    try:
        lines = file.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)
