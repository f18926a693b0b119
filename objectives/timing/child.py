"""Timing process, as its parent sees it: how to start it, ask it and stop it."""

from __future__ import annotations

import json
import math
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any

import objectives
from objectives.device.target import Target
from spaces.steps import note_step

ALIVE = b"{}"
"""Message that the process sends while it prepares an answer."""

END_S = 5.0
"""Maximum number of seconds for a process to end that has closed its socket or was killed."""
COMMAND = (sys.executable, "-P", "-m", "objectives.timing.process")


class ChildDied(Exception):
    """Failure of the timing process: it ended or hung before it answered."""

    def __init__(self, status: int | None, how: str = "") -> None:
        super().__init__(status)
        self.status = status  # as in `subprocess.Popen.returncode`; None if it hung
        self.how = how or f"ended with status {status}"


class TimingChild:
    """Timing process and the socket to it."""

    def __init__(self, target: Target) -> None:
        ours, theirs = socket.socketpair()
        self.errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (closed by stop)
        with theirs:
            self.process = subprocess.Popen(
                [*COMMAND, str(theirs.fileno()), str(os.getpid()), json.dumps(target.description())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self.errors,
                env=os.environ | {"PYTHONPATH": _import_path()},
            )
        self.connection = Connection(ours.detach())

    def ask(
        self,
        request: dict[str, Any],
        timeout_s: float,
        longest_s: float = math.inf,
        on_message: Callable[[], None] = lambda: None,
    ) -> dict[str, Any]:
        """Send a request and wait for the answer.

        Args:
            timeout_s: Seconds without a message after which the process counts as hung.
            longest_s: Seconds without an answer after which it counts as hung: a network may be endlessly slow.
            on_message: Called at each message, which is a sign of life.

        Raises:
            ChildDied: If the process ended by a signal, or hung.
            RuntimeError: If it ended with an exception: a fault of our code.
        """
        try:
            self.connection.send_bytes(json.dumps(request).encode())
            until = time.monotonic() + longest_s
            while True:
                if not self.connection.poll(min(timeout_s, max(0.0, until - time.monotonic()))):
                    late = time.monotonic() >= until
                    how = f"took longer than {longest_s:g} s" if late else f"was silent for {timeout_s:g} s"
                    raise ChildDied(None, how)
                message = self.connection.recv_bytes()
                note_step()
                on_message()
                if message != ALIVE:
                    answer: dict[str, Any] = json.loads(message)
                    return answer
        except (EOFError, ConnectionError) as error:
            status = self._status()
            if (status or 0) > 0:  # a Python exception: a fault of our code, so another start would not help
                raise RuntimeError(f"the timing process failed: {self._last_error()}") from error
            raise ChildDied(status) from error

    def stop(self) -> None:
        """End the process at once."""
        self.connection.close()
        self.process.kill()
        self._status()
        self.errors.close()

    def _status(self) -> int | None:
        """Return how the process ended; None if it does not end, because the kernel holds it."""
        try:
            return self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return None

    def _last_error(self) -> str:
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it left no message"


def _import_path() -> str:
    """Return the import path: the folder of this package, then the folders in the environment's PYTHONPATH."""
    root = str(Path(objectives.__path__[0]).resolve().parent)
    return os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
