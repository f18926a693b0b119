"""Other work on a device while it is measured. Needs neither torch nor a GPU."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from objectives.device.gpu_activity import GpuWatch

CONTENDED_CORES = 0.25
"""Minimum number of CPU cores that other work keeps busy for a measurement to count as contended."""


@dataclass(frozen=True)
class DeviceActivity:
    """Conditions observed during a measurement; None for what the system does not report.

    Attributes:
        others_busy: CPU cores that other work kept busy.
        mhz: Clock of the CPU or GPU.
        celsius: Temperature of the CPU or GPU.
        foreign: Other processes on the GPU.
        slow: Whether the machine was slow for most of the time, as the reference's times show.
        passed_over: Processes that had the device's lock and were passed over, because they made no progress. They
            may have used the device meanwhile.
    """

    others_busy: float | None = None
    mhz: float | None = None
    celsius: float | None = None
    foreign: tuple[str, ...] = ()
    slow: bool = False
    passed_over: tuple[str, ...] = ()

    @property
    def contended(self) -> bool | None:
        """True if other work was observed; None if it cannot be observed."""
        if self.foreign or self.slow or self.passed_over:
            return True
        return None if self.others_busy is None else self.others_busy > CONTENDED_CORES

    def as_plain(self) -> dict[str, Any]:
        """Return plain values (JSON)."""
        return asdict(self) | {"foreign": list(self.foreign), "passed_over": list(self.passed_over)}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> DeviceActivity:
        """Return the opposite of `as_plain`."""
        texts = {"foreign": tuple(plain["foreign"]), "passed_over": tuple(plain.get("passed_over", ()))}
        return cls(**(dict(plain) | texts))


class ActivityWatch:
    """Observer of a device, from its construction on.

    Args:
        device: Name of the device, as in the names of its lock: `cpu`, `gpu0`, ...
    """

    def __init__(self, device: str) -> None:
        self._gpu = None if device == "cpu" else GpuWatch(device)
        self._others_s: float | None = 0.0
        self._wall_s = 0.0
        self._since = self._now()

    def seen(self) -> DeviceActivity:
        """Return the activity since the beginning, with the present clock and temperature of the device."""
        foreign, mhz, celsius = ((), _cpu_mhz(), _cpu_celsius()) if self._gpu is None else self._gpu.seen()
        self._add_up()
        others_busy = None if self._others_s is None else max(0.0, self._others_s / max(self._wall_s, 1e-9))
        return DeviceActivity(others_busy, mhz, celsius, foreign)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Ignore activity during the block: nothing is timed there."""
        self._add_up()
        try:
            yield
        finally:
            self._since = self._now()

    def _add_up(self) -> None:
        """Add the CPU seconds since the observation began or continued."""
        now = self._now()
        (busy_s, own_s, wall_s), (busy_before_s, own_before_s, wall_before_s) = now, self._since
        if busy_s is None or busy_before_s is None or self._others_s is None:
            self._others_s = None
        else:
            self._others_s += busy_s - busy_before_s - (own_s - own_before_s)
        self._wall_s += wall_s - wall_before_s
        self._since = now

    @staticmethod
    def _now() -> tuple[float | None, float, float]:
        """Return the CPU seconds of the machine and of this process, and the wall seconds."""
        return _busy_s(), time.process_time(), time.perf_counter()


def _cpu_mhz() -> float | None:
    """Return the mean clock of the cores."""
    try:
        import psutil

        frequency = psutil.cpu_freq()
    except (ImportError, AttributeError, OSError, RuntimeError, NotImplementedError):
        return None
    return float(frequency.current) if frequency is not None and frequency.current > 0 else None


def _cpu_celsius() -> float | None:
    """Return the temperature of the hottest sensor of the CPU; virtual machines have none."""
    try:
        import psutil

        sensors = psutil.sensors_temperatures()
    except (ImportError, AttributeError, OSError, RuntimeError):
        return None
    chips = ("coretemp", "k10temp", "zenpower", "cpu_thermal")
    return max((float(each.current) for chip in chips for each in sensors.get(chip, [])), default=None)


def _busy_s() -> float | None:
    try:
        import psutil

        times = psutil.cpu_times()
    except (ImportError, OSError, RuntimeError):
        return None
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))
