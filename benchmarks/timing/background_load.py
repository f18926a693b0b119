"""Background load for the benchmark of latency: trainings of a small network, one torch thread each, without our lock.

Their processes are started once and then switched on and off, so that the load can change every few seconds. A training
that is switched off reads from a pipe. It ends when the pipe closes, so a benchmark that is killed leaves no process.
"""

from __future__ import annotations

import argparse
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[2]
LOAD_BATCH, LOAD_IMAGE_SIZE = 8, 96


class BackgroundTrainings:
    """Trainings that can be switched on and off; their processes start at the first use. Use it in a `with` block.

    Args:
        count: Number of processes.
        device: Torch's name of the device that they train on.
    """

    def __init__(self, count: int, device: str = "cpu") -> None:
        self._count, self._device = count, device
        self._processes: list[subprocess.Popen[str]] = []

    def __enter__(self) -> BackgroundTrainings:
        return self

    def _start(self) -> None:
        command = [sys.executable, "-m", "benchmarks.timing.background_load", "--device", self._device]
        one_thread = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        for _ in range(self._count):
            self._processes.append(
                subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=one_thread
                )
            )
        for process in self._processes:
            _expect(process, "ready")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        self._processes.clear()

    @contextmanager
    def running(self, count: int) -> Iterator[Sequence[int]]:
        """Let this many of them train within the block; yields their process numbers.

        Raises:
            ValueError: If there are fewer.
        """
        if count > self._count:
            raise ValueError(f"{count} trainings are requested; there are {self._count}")
        if count and not self._processes:
            self._start()
        chosen = self._processes[:count]
        with ExitStack() as switched_on:
            for process in chosen:
                _send(process, "start", "started")
                switched_on.callback(_send, process, "pause", "paused")
            yield [process.pid for process in chosen]


def _send(process: subprocess.Popen[str], word: str, answer: str) -> None:
    assert process.stdin is not None
    process.stdin.write(word + "\n")
    process.stdin.flush()
    _expect(process, answer)


def _expect(process: subprocess.Popen[str], answer: str) -> None:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if line != answer:
        raise RuntimeError(f"a background training answered '{line}' instead of '{answer}'; did it crash?")


def main() -> None:
    """Train while switched on, until the pipe closes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    step = _make_training(options.device)
    step()
    print("ready", flush=True)
    while _read_word(sys.stdin) == "start":
        step()
        print("started", flush=True)
        while not select.select([sys.stdin], [], [], 0)[0]:
            step()
        if _read_word(sys.stdin) != "pause":
            return
        print("paused", flush=True)


def _read_word(pipe: IO[str]) -> str:
    return pipe.readline().strip()


def _make_training(device: str) -> Callable[[], None]:
    """Return an optimizer step of a small convolutional network on random images: some hundredths of a second each."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    torch.manual_seed(os.getpid())
    widths = (3, 16, 32, 64, 64)
    layers = [
        layer
        for channels, width in pairwise(widths)
        for layer in (nn.Conv2d(channels, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.SiLU())
    ]
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], 10)).to(device)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    images = torch.rand(LOAD_BATCH, 3, LOAD_IMAGE_SIZE, LOAD_IMAGE_SIZE, device=device)
    labels = torch.randint(10, (LOAD_BATCH,), device=device)

    def step() -> None:
        optimizer.zero_grad()
        loss: Any = nn.functional.cross_entropy(network(images), labels)
        loss.backward()
        optimizer.step()
        if device != "cpu":
            torch.cuda.synchronize()

    return step


if __name__ == "__main__":
    main()
