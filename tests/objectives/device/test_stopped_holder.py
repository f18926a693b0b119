"""A process that is stopped keeps its device lock from nobody for long. Real processes, a short patience."""

from __future__ import annotations

import os
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from objectives.device.activity import DeviceActivity
from objectives.device.lock import HUNG_AFTER, device_lock
from objectives.device.lock_files import FOLDER
from tests.objectives.device.test_lock import process


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path / "locks"))


def measures_for_long(pipe: Connection) -> None:
    """Claim the lock for a measurement; at the end of it send what disturbed it."""
    with device_lock("cpu").measuring() as hold:
        pipe.send("in")
        pipe.recv()
        pipe.send(hold.disturbances())


@pytest.mark.parametrize("use", ["training", "measuring"])
def test_a_stopped_holder_is_passed_over_and_both_measurements_are_marked(
    use: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HUNG_AFTER, "0.2")
    with process(measures_for_long) as (holder, pipe):
        assert pipe.recv() == "in"
        os.kill(holder.pid or 0, signal.SIGSTOP)
        if use == "training":
            with device_lock("cpu").training():
                pass
        else:
            with device_lock("cpu").measuring() as first:
                assert f"process {holder.pid} " in first.disturbances()[0]
        begun = time.monotonic()
        with device_lock("cpu").measuring() as undisturbed:  # the holder is passed over once
            assert undisturbed.disturbances() == ()
        assert time.monotonic() - begun < 0.2
        with device_lock("cpu").measuring() as disturbed:
            os.kill(holder.pid or 0, signal.SIGCONT)
            pipe.send("go on")
            assert pipe.recv() == ("this process, which made no progress",)
            holder.join()
            assert f"process {holder.pid} " in disturbed.disturbances()[0]


def test_a_holder_that_goes_on_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HUNG_AFTER, "0.2")
    with process(renews_for_a_second) as (_, pipe):
        assert pipe.recv() == "in"
        with device_lock("cpu").measuring() as hold:
            assert pipe.poll() and pipe.recv() == "out"
            assert hold.disturbances() == ()


def renews_for_a_second(pipe: Connection) -> None:
    """Measure for much longer than a holder may be silent."""
    with device_lock("cpu").measuring() as hold:
        pipe.send("in")
        for _ in range(20):
            time.sleep(0.05)
            hold.renew()
        pipe.send("out")


def test_a_measurement_after_somebody_was_passed_over_is_contended() -> None:
    seen = DeviceActivity(others_busy=0.0, passed_over=("process 12 on here (python), training since 12:03:04",))
    assert seen.contended
    assert DeviceActivity.from_plain(seen.as_plain()) == seen
    older = {name: value for name, value in seen.as_plain().items() if name != "passed_over"}
    assert DeviceActivity.from_plain(older).contended is False


def test_a_killed_holder_leaves_no_note_behind(tmp_path: Path) -> None:
    with process(measures_for_long) as (holder, pipe):
        assert pipe.recv() == "in"
        holder.kill()
        holder.join()
    assert len(list((tmp_path / "locks").glob("cpu.*.holder"))) == 1
    with device_lock("cpu").training():
        names = [path.name for path in (tmp_path / "locks").glob("cpu.*.holder")]
    assert len(names) == 1 and names[0].startswith(f"cpu.{os.getpid()}-")
