"""Observation of a GPU through a fake driver, as CI has no GPU. Its functions have the names of the real module."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from objectives.device.activity import ActivityWatch
from objectives.device.gpu_activity import GpuState, GpuWatch

pynvml = pytest.importorskip("pynvml")
FOREIGN, IDLE = 4_000_001, 4_000_002


class Driver:
    """Fake of the module `pynvml`, which can refuse one of its functions."""

    NVMLError = pynvml.NVMLError
    NVML_CLOCK_SM, NVML_TEMPERATURE_GPU = pynvml.NVML_CLOCK_SM, pynvml.NVML_TEMPERATURE_GPU

    def __init__(self, refuses: str = "") -> None:
        self.asked: list[tuple[Any, ...]] = []
        self._refuses = refuses

    def _answer(self, name: str, *arguments: Any, answer: Any) -> Any:
        assert hasattr(pynvml, name), "the real module has no such function"
        self.asked.append((name, *arguments))
        if name == self._refuses:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return answer

    def nvmlInit(self) -> None:
        """Do nothing."""

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Any:
        return self._answer("nvmlDeviceGetHandleByIndex", index, answer="handle")

    def nvmlDeviceGetHandleByUUID(self, uuid: bytes) -> Any:
        return self._answer("nvmlDeviceGetHandleByUUID", uuid, answer="handle")

    def nvmlDeviceGetClockInfo(self, handle: Any, kind: int) -> Any:
        return self._answer("nvmlDeviceGetClockInfo", handle, kind, answer=1980)

    def nvmlDeviceGetTemperature(self, handle: Any, kind: int) -> Any:
        return self._answer("nvmlDeviceGetTemperature", handle, kind, answer=41)

    def nvmlSystemGetProcessName(self, pid: int) -> Any:
        return self._answer("nvmlSystemGetProcessName", pid, answer=b"/usr/bin/python3")

    def nvmlDeviceGetProcessUtilization(self, handle: Any, since_us: int) -> Any:
        later, before = since_us + 5, since_us - 5
        samples = [
            SimpleNamespace(pid=FOREIGN, smUtil=60, timeStamp=later),
            SimpleNamespace(pid=FOREIGN, smUtil=50, timeStamp=later),
            SimpleNamespace(pid=os.getpid(), smUtil=90, timeStamp=later),
            SimpleNamespace(pid=os.getppid(), smUtil=90, timeStamp=later),
            SimpleNamespace(pid=IDLE, smUtil=0, timeStamp=later),
            SimpleNamespace(pid=IDLE, smUtil=80, timeStamp=before),
        ]
        return self._answer("nvmlDeviceGetProcessUtilization", handle, since_us, answer=samples)


class NoDriver(Driver):
    """Driver of a machine that has the library but no GPU."""

    def nvmlInit(self) -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)


def test_another_working_process_is_named_without_its_path() -> None:
    assert GpuWatch("gpu1", nvml=Driver()).seen() == GpuState((f"python3 ({FOREIGN})",), 1980.0, 41.0)


@pytest.mark.parametrize(
    ("device", "asked"),
    [("gpu1", ("nvmlDeviceGetHandleByIndex", 1)), ("GPU-0a1b", ("nvmlDeviceGetHandleByUUID", b"GPU-0a1b"))],
)
def test_the_observed_device_is_the_locked_one(device: str, asked: tuple[Any, ...]) -> None:
    driver = Driver()
    GpuWatch(device, nvml=driver)
    assert driver.asked == [asked]


def test_our_own_processes_are_not_foreign() -> None:
    assert GpuWatch("gpu0", ours=[FOREIGN], nvml=Driver()).seen().foreign == ()


@pytest.mark.parametrize(
    ("refused", "seen"),
    [
        ("nvmlDeviceGetHandleByIndex", GpuState()),
        ("nvmlDeviceGetProcessUtilization", GpuState((), 1980.0, 41.0)),
        ("nvmlDeviceGetClockInfo", GpuState((f"python3 ({FOREIGN})",), None, 41.0)),
        ("nvmlDeviceGetTemperature", GpuState((f"python3 ({FOREIGN})",), 1980.0, None)),
        ("nvmlSystemGetProcessName", GpuState((f"a process ({FOREIGN})",), 1980.0, 41.0)),
    ],
)
def test_values_that_the_driver_does_not_report_are_left_out(refused: str, seen: GpuState) -> None:
    assert GpuWatch("gpu0", nvml=Driver(refuses=refused)).seen() == seen


def test_a_foreign_process_makes_a_measurement_contended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", Driver())
    seen = ActivityWatch("gpu0").seen()
    assert seen.foreign == (f"python3 ({FOREIGN})",)
    assert (seen.mhz, seen.celsius, seen.contended) == (1980.0, 41.0, True)


def test_without_a_driver_nothing_is_observed_and_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)  # as if it were not installed
    assert GpuWatch("gpu0").seen() == GpuState()
    monkeypatch.setitem(sys.modules, "pynvml", NoDriver())
    assert GpuWatch("gpu0").seen() == GpuState()
