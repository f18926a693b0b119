"""The timing process: loads the reference once, then times networks in turn with it. Imports their engine alone.

Started by `LatencyMeter` as `python -m objectives.latency_process FD PARENT_PID TARGET`; answers JSON messages over
the socket FD. It ends when the other end closes, or when its parent is no longer its parent.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from objectives.runtimes.catalogue import runtime_named
from objectives.target import Target
from objectives.timings import Block, Timings, median_interval
from spaces.base import CandidateError

BLOCK_S = 0.012  # a block lasts about this long, so that the first run's cold cache does not decide it
MOST_RUNS = 10  # in a block
LEAST_BLOCKS = 7  # fewer have no useful interval
CHECK_EVERY = 4  # blocks between two looks at the interval
LOOK_S = 2.0  # between two looks at the parent while idle

Run = Callable[[], None]


def main(arguments: list[str]) -> int:
    """Answer until the parent is gone."""
    fd, parent, target = int(arguments[0]), int(arguments[1]), Target(**json.loads(arguments[2]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    timer = _Timer(target)
    with Connection(fd) as connection:
        try:
            while _wait(connection, parent):
                connection.send_bytes(json.dumps(_answer(timer, json.loads(connection.recv_bytes()))).encode())
        except (EOFError, ConnectionError):
            pass  # the parent closed its end
    return 0


def _wait(connection: Connection, parent: int) -> bool:
    """Wait for a message; False when the parent is gone though another process keeps its end open."""
    while not connection.poll(LOOK_S):
        if os.getppid() != parent:
            return False
    return True


def _answer(timer: _Timer, request: dict[str, Any]) -> dict[str, Any]:
    try:
        if "reference" in request:
            timer.load_reference(Path(request["reference"]))
            return {"ready": True}
        network = None if request["network"] is None else Path(request["network"])
        return timer.time(network, request["cpu_budget_s"], request["width"]).as_plain()
    except CandidateError as error:
        return {"error": str(error)}


class _Timer:
    """Times a network against the reference, block by block."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._runtime = runtime_named(target.runtime)
        self._cpu_clock = time.thread_time if target.clock == "cpu" else time.process_time
        self._reference: Run | None = None
        self._reference_s = 0.0

    def load_reference(self, model: Path) -> None:
        self._reference = self._runtime.load(model, self._target)
        self._reference_s = self._warm_up(self._reference)

    def time(self, model: Path | None, cpu_budget_s: float, width: float) -> Timings:
        """Alternate until the interval's relative width is below `width` or the budget of CPU time is spent."""
        assert self._reference is not None, "the reference is loaded before anything is timed"
        started, other = time.process_time(), _OtherWork()
        run = None if model is None else self._runtime.load(model, self._target)
        run_s = 0.0 if run is None else self._warm_up(run)
        reference_runs, runs = _runs_in_block(self._reference_s), _runs_in_block(run_s)
        reference, network = [self._block(self._reference, reference_runs)], []
        for blocks in _count():
            network += [] if run is None else [self._block(run, runs)]
            reference.append(self._block(self._reference, reference_runs))
            if blocks >= LEAST_BLOCKS and time.process_time() - started >= cpu_budget_s:
                break
            if blocks >= LEAST_BLOCKS and blocks % CHECK_EVERY == 0 and self._narrow(reference, network, width):
                break
        return Timings(tuple(reference), tuple(network), time.process_time() - started, other.cores())

    def _narrow(self, reference: list[Block], network: list[Block], width: float) -> bool:
        clock = self._target.clock
        if not network:
            return median_interval([block.median_s(clock) for block in reference]).relative_width < width
        return Timings(tuple(reference), tuple(network), 0.0, None).ratio(clock).relative_width < width

    def _warm_up(self, run: Run) -> float:
        """Run a few times, as the engine allocates and caches fill; seconds of one run, by the target's clock."""
        try:
            run()
            seconds = self._block(run, 3).seconds(self._target.clock)
        except Exception as error:  # the engines' own errors share no base class
            raise CandidateError(f"{self._target.runtime} does not run the network: {error}") from error
        return min(seconds)

    def _block(self, run: Run, runs: int) -> Block:
        cpu_s, wall_s = [], []
        for _ in range(runs):
            cpu, wall = self._cpu_clock(), time.perf_counter()
            run()
            cpu_s.append(self._cpu_clock() - cpu)
            wall_s.append(time.perf_counter() - wall)
        return Block(tuple(cpu_s), tuple(wall_s))


class _OtherWork:
    """CPU time that everything but this process takes on the machine, from now on."""

    def __init__(self) -> None:
        self._busy, self._own, self._wall = _busy_s(), time.process_time(), time.perf_counter()

    def cores(self) -> float | None:
        """Cores kept busy by others on average; None if the system does not tell."""
        busy = _busy_s()
        if busy is None or self._busy is None:
            return None
        others = busy - self._busy - (time.process_time() - self._own)
        return float(np.clip(others / (time.perf_counter() - self._wall), 0, None))


def _busy_s() -> float | None:
    import psutil

    try:
        times = psutil.cpu_times()
    except (OSError, RuntimeError):
        return None
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


def _runs_in_block(seconds: float) -> int:
    return int(np.clip(np.ceil(BLOCK_S / seconds), 1, MOST_RUNS)) if seconds else 0


def _count() -> Iterator[int]:
    count = 0
    while True:
        count += 1
        yield count


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
