"""Activity of an NVIDIA GPU during a measurement, by NVML: other processes on it, its clock and temperature."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import PurePath
from typing import Any, NamedTuple

BUSY_PERCENT = 2
"""Share of the multiprocessors' time in percent above which a process counts as work; a desktop uses less."""

SETTLED_US = 1_000_000
"""Microseconds at the beginning whose samples are ignored: they may belong to batches that ended before."""


class GpuState(NamedTuple):
    """State of a GPU; None for what the driver does not report."""

    foreign: tuple[str, ...] = ()
    mhz: float | None = None
    celsius: float | None = None


class GpuWatch:
    """Observer of one GPU, from its construction on.

    Args:
        device: Name of the GPU, as in `objectives.device.device_name.device_named`: `gpu0`, or a UUID.
        ours: Processes that do not count as other work.
        nvml: The module `pynvml`; by default it is imported, and without it nothing is observed.
    """

    def __init__(self, device: str, ours: Iterable[int] = (), nvml: Any = None) -> None:
        self._ours = {os.getpid(), os.getppid(), *ours}
        self._since_us = time.time_ns() // 1000 + SETTLED_US
        self._nvml = nvml or _imported()
        self._handle = None if self._nvml is None else self._ask(lambda: _handle(self._nvml, device))

    def seen(self) -> GpuState:
        """Return the activity since the beginning, with the present clock and temperature."""
        if self._handle is None:
            return GpuState()
        nvml, handle = self._nvml, self._handle
        mhz = self._ask(lambda: float(nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM)))
        celsius = self._ask(lambda: float(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)))
        return GpuState(self._foreign(), mhz, celsius)

    def _foreign(self) -> tuple[str, ...]:
        """Return the other processes that did work, as `python (1234)`."""
        samples = self._ask(lambda: self._nvml.nvmlDeviceGetProcessUtilization(self._handle, self._since_us)) or ()
        busy = {
            int(each.pid)
            for each in samples
            if each.smUtil > BUSY_PERCENT and each.timeStamp >= self._since_us and each.pid not in self._ours
        }
        return tuple(f"{self._name(pid)} ({pid})" for pid in sorted(busy))

    def _name(self, pid: int) -> str:
        name = self._ask(lambda: self._nvml.nvmlSystemGetProcessName(pid))
        text = name.decode(errors="replace") if isinstance(name, bytes) else name or ""
        return PurePath(text).name or "a process"

    def _ask(self, question: Callable[[], Any]) -> Any:
        """Return the driver's answer; None if it refuses this GPU or this user."""
        try:
            return question()
        except self._nvml.NVMLError:
            return None


def _imported() -> Any:
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:  # no driver
        return None
    return pynvml


def _handle(nvml: Any, device: str) -> Any:
    if device.startswith("gpu"):
        return nvml.nvmlDeviceGetHandleByIndex(int(device.removeprefix("gpu")))
    return nvml.nvmlDeviceGetHandleByUUID(device.encode())
