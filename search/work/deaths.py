"""Causes of a process's death in words, as far as the kernel tells them."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path

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
