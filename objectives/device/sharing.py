"""Sharing of a device between training, scoring and measurements: each batch runs under the device's lock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TypeVar

import torch

from objectives.device.device_name import device_named
from objectives.device.lock import device_lock
from spaces.steps import note_step

Batch = TypeVar("Batch")


@contextmanager
def claim_device(device: str | torch.device) -> Iterator[None]:
    """Share the device (`cpu`, `0`, `cuda:1`, ...) with other batches, but with no measurement.

    Training on a GPU keeps a core or two of the CPU busy, so it waits for measurements on the CPU too. The end of the
    block waits until the GPU has finished its work. Each claim is a step of this process.

    Raises:
        TargetError: If there is no folder for locks.
    """
    name = str(device)
    with ExitStack() as held:
        for used in dict.fromkeys((device_named(name), "cpu")):
            held.enter_context(device_lock(used).training())
        note_step()
        try:
            yield
        finally:
            _wait_for(name)


def share_device(batches: Iterable[Batch], device: str | torch.device) -> Iterator[Batch]:
    """Yield the same batches. The device is claimed while a batch is fetched and while the loop's body runs."""
    fetched = iter(batches)
    while True:
        with claim_device(device):
            try:
                batch = next(fetched)
            except StopIteration:
                return
            yield batch  # if the body raises, the loop drops this generator, which releases the device


def _wait_for(device: str) -> None:
    if device.startswith("mps"):
        torch.mps.synchronize()
    elif device != "cpu":
        number = device.removeprefix("cuda:")
        torch.cuda.synchronize(int(number) if number.isdecimal() else None)
