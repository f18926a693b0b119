"""Signs of life of a run: a thread notes in the database, every few seconds, what the run's workers do."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import replace
from types import TracebackType

from search.record.events import Activity, BatchDone, Event, RecordStored
from search.store.base import Store, StoreError
from search.store.runs.register import RunEntry
from search.store.sql import RELEASE_TIMEOUT_S
from search.work.liveness import HEARTBEAT_S


class SignsOfLife:
    """Notes of one run; a context manager, during which the notes are written.

    A note that cannot be stored is dropped: the next one says the same and more.

    Args:
        entry: The run as it begins.
        every_s: Seconds between two notes.
    """

    def __init__(self, store: Store, entry: RunEntry, every_s: float = HEARTBEAT_S) -> None:
        self._store, self._entry, self._every_s = store, entry, every_s
        self._doing: dict[int, str] = {}
        self._batch: dict[int, BatchDone] = {}
        self._progress = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="signs of life", daemon=True)

    def __enter__(self) -> SignsOfLife:
        self._write()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end("error" if error is not None else "ended")

    def note(self, worker: int, event: Event) -> None:
        """Keep what a worker does for the next note."""
        self._progress = time.monotonic()
        if isinstance(event, Activity):
            self._doing[worker] = event.what
            self._batch.pop(worker, None)
        elif isinstance(event, BatchDone):
            self._batch[worker] = event
        elif isinstance(event, RecordStored):
            self._doing[worker] = "between trials"
            self._batch.pop(worker, None)

    def end(self, why: str) -> None:
        """Write the last note, with the reason why the run ended. Later calls do nothing."""
        if self._ended.is_set():
            return
        self._ended.set()
        self._thread.join(timeout=RELEASE_TIMEOUT_S)
        self._entry = replace(self._entry, why=why)
        self._write(RELEASE_TIMEOUT_S)

    def _run(self) -> None:
        while not self._ended.wait(self._every_s):
            self._write()

    def _write(self, within_s: float = 0.0) -> None:
        doing = tuple(self._text(worker) for worker in sorted(self._doing))
        entry = replace(self._entry, doing=doing, progress_s=time.monotonic() - self._progress)
        with suppress(StoreError), self._store.waiting_at_most(within_s):
            self._store.note_run(entry)

    def _text(self, worker: int) -> str:
        batch = self._batch.get(worker)
        return self._doing[worker] + ("" if batch is None else f", epoch {batch.epoch} of {batch.epochs}")
