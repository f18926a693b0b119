"""Background thread that writes a worker's heartbeats, and notices if the worker has lost its trial."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

from search.store.base import Attempt, Fenced, Store, StoreError
from search.work.liveness import HEARTBEAT_S


class Heartbeat:
    """Thread that writes heartbeats to the database while the worker trains.

    If another worker has taken over the trial, it interrupts the main thread by a signal.

    Args:
        store: Store of the worker; threads may share it.
        held: Returns the attempt that the worker holds at present.
    """

    def __init__(self, store: Store, held: Callable[[], Attempt | None]) -> None:
        self._store, self._held = store, held
        self._stop = threading.Event()
        self._lost_token: str | None = None
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Start the thread. Call this in the main thread, which is the one to be interrupted."""
        signal.signal(signal.SIGUSR1, self._interrupt)
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread, and wait until a heartbeat in progress is written."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _interrupt(self, _signal: int, _frame: FrameType | None) -> None:
        held = self._held()
        if held is not None and held.token == self._lost_token:
            raise Fenced(f"trial {held.number} was taken over by another worker")

    def _run(self) -> None:
        while not self._stop.wait(HEARTBEAT_S):
            self._beat()

    def _beat(self) -> None:
        attempt = self._held()
        if attempt is None:
            return
        try:
            self._store.heartbeat(attempt)
        except Fenced:
            self._lost_token = attempt.token
            os.kill(os.getpid(), signal.SIGUSR1)
        except StoreError:
            pass  # one missed heartbeat does no harm; if the database stays away, the main thread reports it
