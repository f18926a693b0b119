"""The number of images in a training batch: measured with a few training steps, by memory and, on a CPU, by time."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import psutil
import torch

from objectives.data.dataset import Dataset
from objectives.data.loader import free_ram_bytes
from objectives.recipe import Recipe
from objectives.training.training import train
from spaces.base import Candidate, CandidateError

LARGEST = 64
"""Largest batch. It is Ultralytics' nominal one: its learning rates are meant for steps of so many images at most."""
FIRST_TRIED = 8
"""Batch that is tried first; smaller ones, whose statistics of BatchNorm are poor, only if it does not fit."""
LEAST_STEPS = 8
"""Minimum number of steps of an epoch: a larger batch would leave a small data set too few."""
SHARE_OF_MEMORY = 0.6
"""Share of the free memory that a batch may take, as in Ultralytics: not every batch is as large as those measured."""
LEAST_GAIN = 0.05
"""Share of the time for an image that twice the batch must save on a CPU to be taken."""
TIMED_STEPS = 3


@dataclass(frozen=True)
class TriedBatch:
    """A batch size that was tried.

    Attributes:
        images: Images in a batch.
        seconds: Least time of a training step, divided by the images.
        memory_bytes: Peak of the memory that the training took.
    """

    images: int
    seconds: float
    memory_bytes: int


class _Enough(BaseException):
    """End of a training of which enough was seen. No handler for ordinary errors may catch it."""


def measured_batch(
    candidate: Candidate,
    recipe: Recipe,
    data: Dataset,
    *,
    device: str,
    scratch: Path,
    workers: int = 1,
    say: Callable[[str], None] = lambda line: None,
) -> int:
    """Return the batch size for a recipe, a power of two from 1 to `LARGEST`.

    On a GPU it is the largest that takes at most `SHARE_OF_MEMORY` of the free memory. On a CPU, where larger batches
    soon save no more time, it is the last one that saved some.

    Args:
        candidate: The largest network that will be trained; not modified.
        recipe: Recipe of the largest images that will be trained on; its batch is not read.
        workers: Number of processes that train on the device at the same time.
        say: Receives a line about each size that is tried.
    """
    room = SHARE_OF_MEMORY * _free_bytes(device) / workers

    def fits(images: int) -> TriedBatch | None:
        tried = _tried(candidate, recipe.with_values(batch=images), data, device, scratch)
        if tried is None:
            say(f"batch {images}: out of memory")
            return None
        say(f"batch {images}: {1000 * tried.seconds:.3g} ms and {tried.memory_bytes / images / 2**20:.0f} MiB an image")
        return tried if tried.memory_bytes <= room else None

    return chosen_batch(sizes(len(data.splits["train"].images)), fits, by_time=not _on_cuda(device))


def sizes(images: int) -> tuple[int, ...]:
    """Return the sizes for a training set of so many images, ascending: powers of two."""
    most = max(2, min(LARGEST, images // LEAST_STEPS))
    return tuple(size for size in (2**power for power in range(1, 16)) if size <= most)


def chosen_batch(sizes: Sequence[int], fits: Callable[[int], TriedBatch | None], *, by_time: bool) -> int:
    """Return one of the sizes by trying them, from `FIRST_TRIED` upwards; 1 if none fits.

    Args:
        sizes: Ascending.
        fits: Tries a size; None if it takes too much memory.
        by_time: Whether a size is only taken if its images take less time.
    """
    first = max((size for size in sizes if size <= FIRST_TRIED), default=sizes[0])
    best: TriedBatch | None = None
    for size in (each for each in sizes if each >= first):
        tried = fits(size)
        if tried is None:
            break
        if best is not None and by_time and tried.seconds > (1 - LEAST_GAIN) * best.seconds:
            break
        best = tried
    if best is not None:
        return best.images
    return next((size for size in reversed(sizes) if size < first and fits(size) is not None), 1)


def _tried(candidate: Candidate, recipe: Recipe, data: Dataset, device: str, scratch: Path) -> TriedBatch | None:
    """Train for a few steps; None if memory runs out."""
    times: list[float] = []

    def count(epoch: int, epochs: int, batch: int, batches: int) -> None:
        times.append(time.perf_counter())
        if len(times) > TIMED_STEPS:
            raise _Enough

    steps = TIMED_STEPS + 1
    short = recipe.with_values(epochs=steps, val_every=steps, warmup_epochs=0.0, close_mosaic=0)
    before = _begin_peak(device)
    try:
        with suppress(_Enough):
            train(candidate, short, data, seed=0, device=device, scratch=scratch, teacher=candidate, progress=count)
    except CandidateError as error:
        if "out of memory" in str(error):
            return None
        raise
    seconds = min(end - begin for begin, end in pairwise(times))
    return TriedBatch(recipe.batch, seconds / recipe.batch, max(0, _peak_bytes(device) - before))


def _free_bytes(device: str) -> int:
    return int(torch.cuda.mem_get_info(_gpu(device))[0]) if _on_cuda(device) else free_ram_bytes()


def _on_cuda(device: str) -> bool:
    """Return whether a device has memory of its own; that of Apple is the machine's."""
    return device not in ("cpu", "mps")


def _gpu(device: str) -> torch.device:
    return torch.device(f"cuda:{device}" if device.isdecimal() else device)


def _begin_peak(device: str) -> int:
    """Let the peak of the memory begin anew; return the bytes that are taken now."""
    if _on_cuda(device):
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(_gpu(device))
        return int(torch.cuda.memory_reserved(_gpu(device)))
    with suppress(OSError):  # other systems count from the start of the process
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return int(psutil.Process().memory_info().rss)


def _peak_bytes(device: str) -> int:
    if _on_cuda(device):
        return int(torch.cuda.max_memory_reserved(_gpu(device)))
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return 1024 * int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
