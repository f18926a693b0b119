"""Process that is watched from outside. Nothing here waits for it without a limit, whatever it hangs in."""

from __future__ import annotations

import multiprocessing
import multiprocessing.process
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

import psutil

from search.record.events import Event
from search.work.deaths import MemoryKills, cause_of_death
from search.work.process import END_WITH

KILL_GRACE_S = 3.0
"""Maximum number of seconds for a killed process to end. The kernel may hold it for longer, in a driver."""

Told = SimpleQueue[tuple["WatchedProcess", Event | None]]
"""Events of several processes, each with its sender; None when the sender has closed its end."""


class WatchedProcess:
    """Process that works for this one, and what it tells.

    A thread reads its events, because reading waits if the process is stopped in the middle of one.

    Args:
        work: Function that it runs, with the task, the sending end of a pipe for events, and the place of its steps.
        task: Argument of the function.
        told: Receives the events.
    """

    def __init__(self, work: Callable[[Any, Connection, Any], None], task: object, name: str, told: Told) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe(duplex=False)
        self._count = context.RawArray("d", 1)
        self._kills = MemoryKills.now()
        self._process = context.Process(target=work, args=(task, theirs, self._count), name=name)
        signal.pthread_sigmask(signal.SIG_BLOCK, END_WITH)
        resource_tracker.ensure_running()  # it hears none of them; when it is started, it unblocks some here
        signal.pthread_sigmask(signal.SIG_BLOCK, END_WITH)  # until the process has installed its handlers
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, END_WITH)
        theirs.close()
        threading.Thread(target=self._forward, args=(ours, told), name=f"events of {name}", daemon=True).start()

    @property
    def pid(self) -> int:
        """Process number."""
        return self._process.pid or 0

    def steps(self) -> float:
        """Return the number of steps that it has made; see `spaces.steps`."""
        return float(self._count[0])

    def is_alive(self) -> bool:
        """Return whether it has not ended."""
        return self._process.is_alive()

    def interrupt(self) -> None:
        """Ask it to end."""
        if self._process.is_alive():
            os.kill(self.pid, signal.SIGTERM)

    def end(self, within_s: float) -> bool:
        """Wait for its end, and kill it and its own processes if it does not end in time.

        Returns:
            Whether it has ended. The kernel may hold it; it then remains behind, and this process can end nevertheless.
        """
        self._process.join(timeout=max(0.0, within_s))
        if self._process.is_alive():
            self._kill()
            self._process.join(timeout=KILL_GRACE_S)
        if self._process.is_alive():
            # Python waits for all processes in this set when it ends.
            getattr(multiprocessing.process, "_children", set()).discard(self._process)
            return False
        return True

    def cause_of_death(self) -> str:
        """Return what it died of."""
        return cause_of_death(self._process.exitcode, self._kills, MemoryKills.now())

    def _kill(self) -> None:
        """Kill it and all processes that it has started; a stopped one ends as well."""
        with suppress(psutil.Error):
            started = psutil.Process(self.pid).children(recursive=True)
            self._process.kill()
            for each in started:
                with suppress(psutil.Error):
                    each.kill()
        self._process.kill()

    def _forward(self, pipe: Connection, told: Told) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, END_WITH)  # the main thread hears them
        try:
            while True:
                told.put((self, pipe.recv()))
        except Exception:  # closed; or cut off within an event, which then cannot be read
            told.put((self, None))
