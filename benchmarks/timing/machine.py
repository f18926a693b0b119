"""What machine the benchmark of latency ran on, without its name, and what others do on it meanwhile."""

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

ENGINES = ("onnxruntime", "onnxruntime-gpu", "openvino", "torch", "ultralytics", "torch-pruning", "numpy")


def machine(provider: str) -> dict[str, Any]:
    """Processor, cores, memory, whether it is a virtual machine, versions, and the load right now."""
    versions = {name: found for name in ENGINES if (found := _version(name))}
    return {
        "cpu": cpu_fingerprint(),
        "gpu": None if provider == "cpu" else gpu_fingerprint(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "hypervisor": _hypervisor(),
        "load_at_start": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "versions": {"python": platform.python_version()} | versions,
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _hypervisor() -> bool | None:
    """Whether the CPU says that it is a virtual machine's; None where the system does not tell."""
    try:
        return "hypervisor" in Path("/proc/cpuinfo").read_text(errors="replace")
    except OSError:
        return None


@dataclass
class Strangers:
    """CPU cores that neither this process nor any below it kept busy since the beginning."""

    _begun: float = field(default_factory=time.perf_counter)
    _busy: float = field(default_factory=lambda: _busy_s())
    _own: dict[int, float] = field(default_factory=lambda: _own_s())

    def cores(self) -> float:
        """On average since this object was made."""
        own = sum(seconds - self._own.get(pid, 0.0) for pid, seconds in _own_s().items())
        return max(0.0, (_busy_s() - self._busy - own) / (time.perf_counter() - self._begun))


def _busy_s() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


def _own_s() -> dict[int, float]:
    """CPU seconds so far of this process and of all below it."""
    this = psutil.Process()
    found = {}
    for process in (this, *this.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        found[process.pid] = times.user + times.system
    return found
