"""Identity of worker processes: whether one on this host is alive, or may own a folder."""

from __future__ import annotations

import hashlib
import os
import platform
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import psutil

from search.store.base import OpenAttempt, WorkerId

HEARTBEAT_S = 15.0
"""Seconds between two heartbeats."""
STALE_AFTER_S = 180.0
"""Seconds without a heartbeat (12 missed ones) after which a worker counts as dead, even if its process exists."""
CLOCK_TOLERANCE_S = 60.0
"""Tolerance in seconds between start times of processes, known to a second, and times of files. Clocks may be set."""


def _host() -> str:
    """Return a name of everything that gives process numbers their meaning: hostname, boot, pid namespace."""
    parts = [platform.node()]
    boot = Path("/proc/sys/kernel/random/boot_id")
    if boot.exists():
        parts.append(boot.read_text().strip())
    namespace = Path("/proc/self/ns/pid")
    if namespace.exists():
        parts.append(os.readlink(namespace))
    return "|".join(parts)


def host_tag() -> str:
    """Return a short name of this host and boot, for names of folders."""
    return hashlib.sha256(_host().encode()).hexdigest()[:8]


def _started(pid: int) -> float:
    """Return the start time of a process in seconds: from the kernel's ticks since boot, if it has them.

    The wall-clock start time changes when the clock is set, and a live worker would look like another one.

    Raises:
        psutil.NoSuchProcess: If there is no such process, or it is a zombie.
    """
    stat = Path(f"/proc/{pid}/stat")
    if not Path("/proc/self/stat").exists():
        return psutil.Process(pid).create_time()
    try:
        fields = stat.read_text().rpartition(")")[2].split()  # the command name may contain any characters
    except (FileNotFoundError, ProcessLookupError):
        raise psutil.NoSuchProcess(pid) from None
    state, start_ticks = fields[0], fields[19]
    if state in "ZX":
        raise psutil.NoSuchProcess(pid)
    return int(start_ticks) / os.sysconf("SC_CLK_TCK")


def this_worker() -> WorkerId:
    """Return the identity of the calling process."""
    return WorkerId(host=_host(), pid=os.getpid(), started=_started(os.getpid()))


def is_alive(worker: WorkerId) -> bool | None:
    """Return whether a worker's process is alive; None if it is on another host, so that this is unknown."""
    if worker.host != _host():
        return None
    try:
        return _started(worker.pid) == worker.started
    except psutil.NoSuchProcess:
        return False


def may_own(pid: int, folder: Path) -> bool:
    """Return whether the process with this number on this host may be the one that made a folder.

    A zombie is dead. A process that started after the last change of the folder has the number of a dead process.
    """
    try:
        process = psutil.Process(pid)
        if process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
            return False
        return process.create_time() <= folder.stat().st_mtime + CLOCK_TOLERANCE_S
    except psutil.NoSuchProcess:
        return False
    except (psutil.AccessDenied, FileNotFoundError):  # not ours to judge, or another worker has removed the folder
        return True


class Heartbeats:
    """Heartbeats of the workers of this host, as this process has seen them.

    A process that was stopped, or hangs, exists and has no heartbeats. Their age is counted by this process, and only
    over its own looks: if the clock of the database is set, or the database was away, all workers would seem to hang.

    Args:
        monotonic: Returns seconds that never go back.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic, self._looked = monotonic, monotonic()
        self._seen: dict[WorkerId, tuple[datetime, float]] = {}

    def look(self, attempts: Sequence[OpenAttempt]) -> None:
        """Note the heartbeats of the attempts that are open now, and forget all others."""
        now = self._monotonic()
        since_look_s, self._looked = min(now - self._looked, 2 * HEARTBEAT_S), now
        before, self._seen = self._seen, {}
        for each in attempts:
            if each.worker is not None:
                beat, idle_s = before.get(each.worker, (each.heartbeat, -since_look_s))
                self._seen[each.worker] = each.heartbeat, idle_s + since_look_s if beat == each.heartbeat else 0.0

    def idle_s(self, worker: WorkerId) -> float:
        """Return for how long this process has seen no new heartbeat of a worker."""
        return self._seen.get(worker, (None, 0.0))[1]


class Heard:
    """Signs of life of the workers of the last trials, while another worker waits for them.

    Args:
        is_alive: Returns whether a worker's process is alive; None if that is unknown, because it is on another host.
    """

    def __init__(self, is_alive: Callable[[WorkerId], bool | None]) -> None:
        self._is_alive = is_alive
        self._first: dict[WorkerId, datetime] = {}

    def all_live(self, attempts: Sequence[OpenAttempt]) -> bool:
        """Return whether each of these attempts has a live worker: on another host, one with a new heartbeat by now."""
        workers = [(each.worker, each.heartbeat) for each in attempts if each.worker is not None]
        if len(workers) < len(attempts):
            return False
        return all(self._lives(worker, beat) for worker, beat in workers)

    def _lives(self, worker: WorkerId, beat: datetime) -> bool:
        is_new = self._first.setdefault(worker, beat) != beat
        return is_new or self._is_alive(worker) is True
