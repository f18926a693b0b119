"""Trainings and measurements take turns, in real processes and with Ultralytics' real trainer."""

from __future__ import annotations

import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from objectives.data.dataset import Dataset
from objectives.device.lock import device_lock
from objectives.device.sharing import claim_device, share_device
from objectives.recipe import Recipe
from objectives.training.training import train
from spaces.base import Candidate
from tests.objectives.device.test_lock import Span, process
from tests.objectives.networks import candidate

MEASURED_S = 0.3  # several batches of the small training below


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YOLOFRONT_LOCKS", str(tmp_path / "locks"))


def measures_on_request(pipe: Connection) -> None:
    """Measure for a while at each request, with the device alone, and send begin and end."""
    while pipe.recv() == "measure":
        with device_lock("cpu").measuring():
            begun = time.monotonic()
            pipe.send("in")
            pipe.poll(MEASURED_S)
            span = begun, time.monotonic()
        pipe.send(span)


def test_the_device_is_released_at_the_end_of_a_batch_in_any_case() -> None:
    with pytest.raises(KeyboardInterrupt), device_lock("cpu").training():
        raise KeyboardInterrupt
    with pytest.raises(ZeroDivisionError):
        for number in share_device([1, 0], "cpu"):
            assert 1 / number == 1
    for _ in share_device([1, 2, 3], "cpu"):
        break
    with device_lock("cpu").measuring():
        pass


def test_a_training_on_a_gpu_waits_for_measurements_on_the_cpu_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """It keeps cores busy. The GPU is a fake: the test is about the locks that are held."""
    waited_for: list[int | None] = []
    monkeypatch.setattr("torch.cuda.synchronize", waited_for.append)
    with claim_device("cuda:0"):
        for device in ("gpu0", "cpu"):
            with pytest.raises(RuntimeError, match=f"measuring on {device} within training"):
                device_lock(device).measuring().__enter__()
    assert waited_for == [0]
    with device_lock("cpu").measuring(), device_lock("gpu0").measuring():
        pass


@pytest.mark.slow
def test_a_training_waits_while_another_process_measures(digits: Dataset, tmp_path: Path) -> None:
    forwards: list[float] = []
    small = candidate(width=0.0625)
    whole: Any = small.network
    whole.get_submodule("model.0").register_forward_pre_hook(lambda *_: forwards.append(time.monotonic()))
    hooked = Candidate(small.spec, small.origin, whole, small.classes, small.imgsz)
    recipe = Recipe(epochs=2, batch=8, imgsz=96, optimizer="AdamW", lr0=0.002, warmup_epochs=0, mosaic=0.0, fliplr=0.0)
    measured: list[Span] = []
    with process(measures_on_request) as (_, pipe):

        def measure() -> None:
            """Begin a measurement in the other process, and continue here meanwhile."""
            pipe.send("measure")
            assert pipe.recv() == "in"

        def progress(epoch: int, _epochs: int, batch: int, batches: int) -> None:
            if (epoch, batch) in ((1, 2), (1, batches), (2, 3)):  # within an epoch; then validation follows
                measure()
            elif (epoch, batch) in ((1, 3), (2, 1), (2, 4)):  # the batch after a measurement
                assert pipe.poll(), "a batch was trained during a measurement"
                measured.append(pipe.recv())

        trained = train(hooked, recipe, digits, seed=0, scratch=tmp_path / "scratch", progress=progress)
        with device_lock("cpu").measuring():  # nothing is held when the training is over
            pass
    assert [result.epoch for result in trained.history] == [1, 2]
    assert len(measured) == 3
    assert [(span, at) for span in measured for at in forwards if span[0] < at < span[1]] == []
