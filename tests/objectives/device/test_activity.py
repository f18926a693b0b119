"""Observation of other work during a measurement."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from objectives.device.activity import CONTENDED_CORES, ActivityWatch, DeviceActivity


@pytest.mark.parametrize(
    ("seen", "contended"),
    [
        (DeviceActivity(), None),
        (DeviceActivity(others_busy=CONTENDED_CORES), False),
        (DeviceActivity(others_busy=0.5), True),
        (DeviceActivity(foreign=("python (1234)",)), True),
        (DeviceActivity(others_busy=0.0, slow=True), True),
    ],
)
def test_a_measurement_is_contended_if_other_work_was_observed(seen: DeviceActivity, contended: bool | None) -> None:
    assert seen.contended is contended
    assert DeviceActivity.from_plain(json.loads(json.dumps(seen.as_plain()))) == seen


def test_other_work_counts_and_our_own_does_not() -> None:
    watch = ActivityWatch("cpu")
    code = "import time\nwhile time.process_time() < 0.5: pass"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (watch.seen().others_busy or 0) > CONTENDED_CORES  # a whole core, and any other work of the machine


def test_other_work_during_a_pause_does_not_count() -> None:
    watch = ActivityWatch("cpu")
    begun = time.perf_counter()
    with watch.paused():
        code = "import time\nwhile time.process_time() < 0.5: pass"
        subprocess.run([sys.executable, "-c", code], check=True)
    paused_s = time.perf_counter() - begun
    while time.perf_counter() < begun + 2 * paused_s:  # our own work does not count as other work
        pass
    counted = ActivityWatch("cpu")
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (watch.seen().others_busy or 0.0) < (counted.seen().others_busy or 0.0)


@pytest.mark.parametrize("name", ["cpu_freq", "sensors_temperatures", "cpu_times"])
def test_values_that_the_system_does_not_report_are_none(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: Any) -> Callable[..., Any]:
        raise OSError("not here")

    watch = ActivityWatch("cpu")
    monkeypatch.setattr(psutil, name, refuses, raising=False)
    seen = watch.seen()
    field = {"cpu_freq": "mhz", "sensors_temperatures": "celsius", "cpu_times": "others_busy"}[name]
    assert getattr(seen, field) is None


def test_it_is_imported_without_torch() -> None:
    code = "import sys, objectives.device.activity; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
