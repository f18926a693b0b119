"""Timing process: loads the reference, then times networks in turn with it. Imports only the target's engine.

`objectives.timing.child` starts it as `python -m objectives.timing.process FD PARENT_PID TARGET`. It answers JSON
messages over the socket FD, and ends when the other end closes the socket or the parent process is gone.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from objectives.device.activity import ActivityWatch
from objectives.device.target import Target
from objectives.runtimes.catalogue import runtime_named
from objectives.timing.child import ALIVE
from objectives.timing.idle_wait import wait_at_most
from objectives.timing.protocol import REFERENCES, WAIT_S, Clock, InterleavedTiming, MeasuringBudget, Run
from objectives.timing.race import Race
from objectives.timing.race_run import run_race
from objectives.timing.timings import Block, Timings
from spaces.base import CandidateError

WARM_UP_RUNS = 2  # after loading: engines allocate memory in the first one
PR_SET_PDEATHSIG = 1  # option of Linux' prctl
LEAST_MEMORY = 2 * 1024**3  # that this process may always take
SHARE_OF_FREE_MEMORY = 0.8
PARENT_CHECK_S = 2.0  # between two checks of the parent while idle
RACE_ROUNDS = 2  # per loading: loading is more expensive than a round
RACE_WAIT_S = 30.0  # maximum for a whole race, to wait until slow phases of the machine end


def main(arguments: list[str]) -> int:
    """Answer requests until the parent is gone."""
    fd, parent, target = int(arguments[0]), int(arguments[1]), Target(**json.loads(arguments[2]))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)  # they reach the whole group; the parent decides
    _die_with_parent()
    if target.runs_on_cpu:
        limit_memory(free_memory_bytes())
    with Connection(fd) as connection:
        timer = NetworkTimer(target, alive=lambda: connection.send_bytes(ALIVE))
        try:
            while _wait(connection, parent):
                connection.send_bytes(json.dumps(_answer(timer, json.loads(connection.recv_bytes()))).encode())
        except (EOFError, ConnectionError):
            pass  # the parent closed its end
    return 0


def free_memory_bytes(file: Path = Path("/proc/meminfo")) -> int | None:
    """Return the memory that processes can still take; None where the system does not tell."""
    try:
        found = re.search(r"^MemAvailable: +(\d+) kB", file.read_text(encoding="ascii"), re.MULTILINE)
    except OSError:
        return None
    return None if found is None else 1024 * int(found[1])


def limit_memory(free: int | None) -> None:
    """Let a network that claims more memory than is free fail alone, before the system ends other processes for it."""
    if free is not None:
        import resource  # not on every system

        most = max(LEAST_MEMORY, int(SHARE_OF_FREE_MEMORY * free))
        resource.setrlimit(resource.RLIMIT_DATA, (most, resource.getrlimit(resource.RLIMIT_DATA)[1]))


def _die_with_parent() -> None:
    """End with the parent: the kernel then releases its lock, and two measurements must not run at once."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _wait(connection: Connection, parent: int) -> bool:
    """Wait for a message. Return False if the parent is gone but another process keeps its socket open."""
    while not connection.poll(PARENT_CHECK_S):
        if os.getppid() != parent:
            return False
    return True


def _answer(timer: NetworkTimer, request: dict[str, Any]) -> dict[str, Any]:
    try:
        if "reference" in request:
            timer.load_reference(Path(request["reference"]))
            return {"ready": True}
        if "race" in request:
            networks = [Path(name) for name in request["race"]]
            return timer.race(networks, request["cpu_budget_s"], request["seed"]).as_plain()
        if request["network"] is None:
            return timer.reference_alone().as_plain()
        return timer.time(Path(request["network"]), MeasuringBudget(**request["budget"])).as_plain()
    except CandidateError as error:
        return {"error": str(error)}


class NetworkTimer:
    """Loads networks and times them in turn with the reference, in this process.

    Args:
        alive: Called before each loading, to tell the parent that the process works.
    """

    def __init__(self, target: Target, alive: Callable[[], None] = lambda: None) -> None:
        self._target, self._alive = target, alive
        self._runtime = runtime_named(target.runtime)
        self._timing: InterleavedTiming | None = None

    def load_reference(self, model: Path) -> None:
        """Load the reference several times, and keep all loadings: each has a slightly different speed."""
        references = [self._load(model) for _ in range(REFERENCES)]
        wait_s = wait_at_most(WAIT_S)
        self._timing = InterleavedTiming(references, clock_of(self._target), self._target.clock, wait_s=wait_s)

    def time(self, model: Path, budget: MeasuringBudget) -> Timings:
        """Time a network in turn with the reference. Raises `CandidateError` if it does not load or run."""
        watch = self._watch()
        timings = self._ready.time(lambda: self._load(model), budget, watch.paused)
        return replace(timings, circumstances=watch.seen())

    def reference_alone(self) -> Timings:
        """Time the reference alone."""
        watch = self._watch()
        return replace(self._ready.reference_alone(watch.paused), circumstances=watch.seen())

    def race(self, models: list[Path], cpu_budget_s: float, seed: int) -> Race:
        """Time networks in turn with each other and the reference: see `objectives.timing.race_run.run_race`."""
        watch, timing = self._watch(), self._ready
        wait = timing.waiting(wait_at_most(RACE_WAIT_S), watch.paused)
        begun_s = time.process_time() - timing.waited[0]
        networks: dict[int, Run] = {}
        references = itertools.count()

        def block(number: int | None) -> Block:
            # Another loading of the reference each time, so that its caches are as cold as those of a network.
            run = timing.reference(next(references)) if number is None else networks[number]
            run()  # all others ran since its last block: this run warms the caches as in a measurement of one network
            return timing.block(run)

        def load_again(order: Sequence[int]) -> None:
            networks.clear()
            networks.update((number, self._load(models[number])) for number in order)

        race = run_race(
            len(models),
            block,
            clock=self._target.clock,
            cpu_seconds=lambda: time.process_time() - timing.waited[0] - begun_s,
            cpu_budget_s=cpu_budget_s,
            seed=seed,
            load=load_again,
            rounds_a_loading=RACE_ROUNDS,
            wait=wait,
            slow_s=lambda: timing.slow_s,
        )
        return replace(race, circumstances=watch.seen(), slow_s=timing.slow_s)

    @property
    def _ready(self) -> InterleavedTiming:
        if self._timing is None:
            raise RuntimeError("no reference is loaded; call load_reference before anything is timed")
        return self._timing

    def _watch(self) -> ActivityWatch:
        return ActivityWatch(self._runtime.device_name(self._target.provider))

    def _load(self, model: Path) -> Run:
        """Load a network again, and warm it up."""
        self._alive()
        run = self._runtime.load(model, self._target)
        try:
            for _ in range(WARM_UP_RUNS):
                run()
        except Exception as error:  # the engines' own errors share no base class
            raise CandidateError(f"{self._target.runtime} does not run the network: {error}") from error
        return run


def clock_of(target: Target) -> Clock:
    """Return a clock of CPU time and wall time. CPU time is that of this thread if the network runs in it alone."""
    cpu_s = time.thread_time if target.clock == "cpu" else time.process_time
    return lambda: (cpu_s(), time.perf_counter())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
