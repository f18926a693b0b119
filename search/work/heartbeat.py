"""Background thread that writes a worker's heartbeats while it makes steps, and notices if it has lost its trial."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

from search.store.base import Attempt, Fenced, Store, StoreError
from search.work.liveness import HEARTBEAT_S
from spaces.step_watch import StepWatch
from spaces.steps import silence_this_thread, steps_made


class Heartbeat:
    """Thread that writes heartbeats to the database while the worker trains.

    It writes none while the worker hangs: its trial is then taken over even if nobody ends the worker.
    If another worker has taken over the trial, it interrupts the main thread by a signal.

    Attributes:
        hangs: Whether the worker hung at the last look.

    Args:
        store: Store of the worker; threads may share it.
        held: Returns the attempt that the worker holds at present.
        hung_after_s: Seconds without a step after which the worker counts as hung; None for the usual limit.
    """

    def __init__(self, store: Store, held: Callable[[], Attempt | None], hung_after_s: float | None = None) -> None:
        self._store, self._held = store, held
        self._watch = StepWatch(steps_made, hung_after_s, longest_look_s=2 * HEARTBEAT_S)
        self.hangs = False
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
        silence_this_thread()
        while not self._stop.wait(HEARTBEAT_S):
            self._beat()

    def _beat(self) -> None:
        attempt, self.hangs = self._held(), self._watch.hangs()
        if attempt is None or self.hangs:
            return
        try:
            self._store.heartbeat(attempt)
        except Fenced:
            self._lost_token = attempt.token
            os.kill(os.getpid(), signal.SIGUSR1)
        except StoreError:
            pass  # one missed heartbeat does no harm; if the database stays away, the main thread reports it
