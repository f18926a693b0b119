"""What else goes on on a device while it is measured. Needs neither torch nor a GPU."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

CONTENDED_CORES = 0.25
"""Other work that keeps more cores busy than this is named in a measurement."""


@dataclass(frozen=True)
class Circumstances:
    """What was seen beside a measurement; None where the system does not tell.

    Attributes:
        others_busy: CPU cores that other work kept busy.
        mhz: Clock of the CPU or GPU.
        celsius: Its temperature.
        foreign: Processes of others on the GPU.
    """

    others_busy: float | None = None
    mhz: float | None = None
    celsius: float | None = None
    foreign: tuple[str, ...] = ()

    @property
    def contended(self) -> bool | None:
        """Whether other work was seen; None if it cannot be seen."""
        if self.foreign:
            return True
        return None if self.others_busy is None else self.others_busy > CONTENDED_CORES

    def as_plain(self) -> dict[str, Any]:
        """Plain values (JSON)."""
        return asdict(self) | {"foreign": list(self.foreign)}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Circumstances:
        """The opposite of `as_plain`."""
        return cls(**(dict(plain) | {"foreign": tuple(plain["foreign"])}))


class Watch:
    """Looks at the device from now on."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._busy, self._own, self._wall = _busy_s(), time.process_time(), time.perf_counter()

    def seen(self) -> Circumstances:
        """What was there since the beginning. The clock and temperature are those of a CPU target's CPU, now."""
        busy, mhz, celsius = _busy_s(), None, None
        if self._provider == "cpu":
            mhz, celsius = _cpu_mhz(), _cpu_celsius()
        if busy is None or self._busy is None:
            return Circumstances(mhz=mhz, celsius=celsius)
        others = busy - self._busy - (time.process_time() - self._own)
        return Circumstances(max(0.0, others / (time.perf_counter() - self._wall)), mhz, celsius)


def _cpu_mhz() -> float | None:
    """Mean clock over the cores."""
    try:
        import psutil

        frequency = psutil.cpu_freq()
    except (ImportError, AttributeError, OSError, RuntimeError, NotImplementedError):
        return None
    return float(frequency.current) if frequency is not None and frequency.current > 0 else None


def _cpu_celsius() -> float | None:
    """The hottest sensor of the CPU; virtual machines have none."""
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
