"""Who a worker is, and whether a worker on this host still lives."""

from __future__ import annotations

import hashlib
import os
import platform
from pathlib import Path

import psutil

from search.store.base import WorkerId

HEARTBEAT_S = 15.0
STALE_AFTER_S = 180.0
"""A worker on another host is taken for dead after this long without a heartbeat (12 missed beats)."""


def _host() -> str:
    """A name that is equal only where process numbers mean the same: hostname, boot, pid namespace."""
    parts = [platform.node()]
    boot = Path("/proc/sys/kernel/random/boot_id")
    if boot.exists():
        parts.append(boot.read_text().strip())
    namespace = Path("/proc/self/ns/pid")
    if namespace.exists():
        parts.append(os.readlink(namespace))
    return "|".join(parts)


def host_tag() -> str:
    """A short name of this host and boot, for the names of folders."""
    return hashlib.sha256(_host().encode()).hexdigest()[:8]


def _started(pid: int) -> float:
    """When that process began, in seconds. From the kernel's ticks since boot where there are any.

    The wall-clock creation time moves when the clock is set; a healthy worker must not look like another then.

    Raises:
        psutil.NoSuchProcess: If there is no such process, or only its remains (a zombie).
    """
    stat = Path(f"/proc/{pid}/stat")
    if not Path("/proc/self/stat").exists():
        return psutil.Process(pid).create_time()
    try:
        fields = stat.read_text().rpartition(")")[2].split()  # the command name before may hold anything
    except (FileNotFoundError, ProcessLookupError):
        raise psutil.NoSuchProcess(pid) from None
    state, start_ticks = fields[0], fields[19]
    if state in "ZX":
        raise psutil.NoSuchProcess(pid)
    return int(start_ticks) / os.sysconf("SC_CLK_TCK")


def this_worker() -> WorkerId:
    """The calling process."""
    return WorkerId(host=_host(), pid=os.getpid(), started=_started(os.getpid()))


def is_alive(worker: WorkerId) -> bool | None:
    """Whether that worker's process lives; None if it is on another host, where nobody here can tell."""
    if worker.host != _host():
        return None
    try:
        return _started(worker.pid) == worker.started
    except psutil.NoSuchProcess:
        return False
