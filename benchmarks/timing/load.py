"""Other work for the benchmark of latency: real trainings of a small network, one torch thread each, without our lock.

They are started once and told when to work and when to wait, so that conditions can change every few seconds. A
training that waits reads from a pipe; it ends when the pipe closes, so a killed benchmark leaves none behind.
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
from typing import IO

ROOT = Path(__file__).resolve().parents[2]
BATCH, SIDE = 8, 96


class Trainings:
    """Trainings that wait until they are told to work; started when the first has to. Use in a `with` block.

    Args:
        count: How many processes; with 0 none is started.
        device: Torch's name of the device that they train on.
    """

    def __init__(self, count: int, device: str = "cpu") -> None:
        self._count, self._device = count, device
        self._processes: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Trainings:
        return self

    def _start(self) -> None:
        command = [sys.executable, "-m", "benchmarks.timing.load", "--device", self._device]
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
    def working(self, count: int) -> Iterator[Sequence[int]]:
        """Within the block so many of them train; gives their process numbers.

        Raises:
            ValueError: If there are fewer.
        """
        if count > self._count:
            raise ValueError(f"{count} trainings are asked for; there are {self._count}")
        if count and not self._processes:
            self._start()
        chosen = self._processes[:count]
        with ExitStack() as told:
            for process in chosen:
                _tell(process, "work", "works")
                told.callback(_tell, process, "wait", "waits")
            yield [process.pid for process in chosen]


def _tell(process: subprocess.Popen[str], word: str, answer: str) -> None:
    assert process.stdin is not None
    process.stdin.write(word + "\n")
    process.stdin.flush()
    _expect(process, answer)


def _expect(process: subprocess.Popen[str], answer: str) -> None:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if line != answer:
        raise RuntimeError(f"a training of the benchmark's load said '{line}' instead of '{answer}'; has it died?")


def main() -> None:
    """Train when told to, until the pipe closes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    step = _training(options.device)
    step()
    print("ready", flush=True)
    while _next(sys.stdin) == "work":
        step()
        print("works", flush=True)
        while not select.select([sys.stdin], [], [], 0)[0]:
            step()
        if _next(sys.stdin) != "wait":
            return
        print("waits", flush=True)


def _next(pipe: IO[str]) -> str:
    return pipe.readline().strip()


def _training(device: str) -> Callable[[], None]:
    """One optimizer step of a small convolutional network on random images: a few hundredths of a second on a core."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    torch.manual_seed(os.getpid())
    widths = (3, 16, 32, 64, 64)
    layers = [
        layer
        for made, width in pairwise(widths)
        for layer in (nn.Conv2d(made, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.SiLU())
    ]
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], 10)).to(device)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    images = torch.rand(BATCH, 3, SIDE, SIDE, device=device)
    labels = torch.randint(10, (BATCH,), device=device)

    def step() -> None:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(network(images), labels)
        loss.backward()
        optimizer.step()
        if device != "cpu":
            torch.cuda.synchronize()

    return step


if __name__ == "__main__":
    main()
