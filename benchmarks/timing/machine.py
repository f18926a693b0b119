"""The machine that the benchmark of latency ran on, without its name, and the work of other processes on it."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from objectives.device.fingerprint import cpu_fingerprint, gpu_fingerprint

RECORDED_PACKAGES = ("onnxruntime", "onnxruntime-gpu", "openvino", "torch", "ultralytics", "torch-pruning", "numpy")


def usable_cores() -> int:
    """Return the number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe_machine(provider: str) -> dict[str, Any]:
    """Return processor, cores, memory, versions, the present load, and whether it is a virtual machine."""
    versions = {name: found for name in RECORDED_PACKAGES if (found := _version(name))}
    return {
        "cpu": cpu_fingerprint(),
        "gpu": None if provider == "cpu" else gpu_fingerprint(),
        "cores": usable_cores(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "hypervisor": _has_hypervisor(),
        "load_at_start": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "versions": {"python": platform.python_version()} | versions,
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _has_hypervisor() -> bool | None:
    """Return whether the CPU reports a hypervisor; None if the system does not show it."""
    try:
        return "hypervisor" in Path("/proc/cpuinfo").read_text(errors="replace")
    except OSError:
        return None


@dataclass
class OtherProcesses:
    """CPU use, since this object was made, of all processes but this one and its children."""

    _begun: float = field(default_factory=time.perf_counter)
    _busy: float = field(default_factory=lambda: _busy_s())
    _own: dict[int, float] = field(default_factory=lambda: _own_s())

    def busy_cores(self) -> float:
        """Return the mean number of cores that they kept busy."""
        own = sum(seconds - self._own.get(pid, 0.0) for pid, seconds in _own_s().items())
        return max(0.0, (_busy_s() - self._busy - own) / (time.perf_counter() - self._begun))


def _busy_s() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


def _own_s() -> dict[int, float]:
    """Return the CPU seconds so far of this process and each of its descendants."""
    this = psutil.Process()
    found = {}
    for process in (this, *this.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        found[process.pid] = times.user + times.system
    return found
