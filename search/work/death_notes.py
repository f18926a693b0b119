"""Stores what workers died of, in a thread: the database may be away, and the supervisor must not wait for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue

from search.store.base import StoreError

WAIT_S = 3.0
"""Maximum number of seconds that the supervisor waits for a note: the next worker should find it with the trial."""

NoteDeath = Callable[[int, str], None]
"""Stores the cause of a death with the number of the trial that is to blame."""


class DeathNotes:
    """Notes of one run, stored in their order. One that cannot be stored is dropped: the count does not need it."""

    def __init__(self, note: NoteDeath) -> None:
        self._note = note
        self._waiting: SimpleQueue[tuple[int, str, threading.Event]] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def add(self, trial: int, cause: str) -> None:
        """Store a note, or leave that to the thread if it takes long."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._store, name="death notes", daemon=True)
            self._thread.start()
        stored = threading.Event()
        self._waiting.put((trial, cause, stored))
        stored.wait(WAIT_S)

    def _store(self) -> None:
        while True:
            trial, cause, stored = self._waiting.get()
            with suppress(StoreError):
                self._note(trial, cause)
            stored.set()
