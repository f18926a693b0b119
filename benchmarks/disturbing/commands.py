"""Commands that work on one study, each as on a machine of its own; started again when they end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from benchmarks.disturbing.machine import HOST

STORED = re.compile(r"^\d\d:\d\d:\d\d\s+\d+:\d\d  trial (\d+): ")
"""Line of the progress that acknowledges a stored trial."""
CHECKOUT = Path(__file__).resolve().parents[2]


class Command:
    """`search.run`, its worker processes, and what it has acknowledged.

    Args:
        host: Name of the machine that it pretends to be on; None for this one.
    """

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], host: str | None = None) -> None:
        self._arguments = arguments
        self._environment = {**os.environ, **environment, "PYTHONPATH": str(CHECKOUT), "OMP_NUM_THREADS": "1"}
        if host is not None:
            self._environment[HOST] = host
        self.acknowledged: list[int] = []
        self.lines: list[str] = []
        self._begin()

    @property
    def exit_code(self) -> int | None:
        """Exit code; None while it runs."""
        return self._process.poll()

    def begin_again(self) -> None:
        """Start it again after its end."""
        self._reader.join(timeout=10)
        self._begin()

    def workers(self) -> list[psutil.Process]:
        """Return its worker processes that live."""
        with suppress(psutil.Error):
            return [each for each in psutil.Process(self._process.pid).children() if is_worker(each)]
        return []

    def kill_all(self) -> None:
        """Kill it and all that it has started."""
        with suppress(psutil.Error):
            command = psutil.Process(self._process.pid)
            for each in (command, *command.children(recursive=True)):
                with suppress(psutil.Error):
                    each.kill()
        self._process.wait()

    def interrupt(self, within_s: float) -> bool:
        """Interrupt it as Ctrl-C does. Return whether it ended in time; otherwise it is killed."""
        if self.exit_code is None:
            self._process.send_signal(signal.SIGINT)
        ended = self.wait(within_s) is not None
        if not ended:
            self.kill_all()
        return ended

    def wait(self, within_s: float) -> int | None:
        """Return the exit code; None if it does not end in time."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(within_s)
        return None

    def _begin(self) -> None:
        self.begun = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.disturbing.machine", *self._arguments],
            cwd=CHECKOUT,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            self.lines.append(line.rstrip("\n"))
            if found := STORED.match(line):
                self.acknowledged.append(int(found[1]))


def is_worker(process: psutil.Process) -> bool:
    """Return whether a process that a command has started is a worker that lives."""
    with suppress(psutil.Error):  # it may have ended, and its parent has not asked for its exit code yet
        return "spawn_main" in " ".join(process.cmdline())
    return False
