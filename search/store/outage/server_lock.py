"""A named lock on PostgreSQL that outlasts a restart of the server."""

from __future__ import annotations

import hashlib
import threading
import time
from types import TracebackType
from typing import final

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from search.store.faults import one_line_faults
from search.store.outage.long_wait import LongWait
from search.store.outage.patience import Patience

RETRY_AFTER_S = 0.1
"""Seconds between two tries to take a lock."""
LOOK_AFTER_S = 1.0
"""Seconds between two looks of a holder whether the server still knows of its lock."""
HOLDERS_FIRST_S = 5.0
"""Seconds that everybody else waits after a lost connection: the holders take their locks again before."""
CLOSE_S = 10.0
"""Seconds that the end of the block waits for the thread, which may talk with a server that does not answer."""


def number_of(name: str) -> int:
    """Return a lock's number: 63 bits of a hash."""
    return int.from_bytes(hashlib.sha256(f"yolofront {name}".encode()).digest()[:8]) >> 1


@final
class ServerLock:
    """Lock on a connection of its own, as a context manager: the server frees it when that connection ends in any way.

    It asks again and again instead of blocking in the server, so that a signal is heard at once. A server that restarts
    forgets its locks; a thread of the holder takes this one again.

    Args:
        engine: Makes connections that commit each statement and are not kept.
        waits: If False, entering returns False at once if another process holds the lock.
    """

    def __init__(self, engine: Engine, name: str, patience: Patience, shown_url: str, *, waits: bool = True) -> None:
        self._waits = waits
        self._engine, self._name, self._number = engine, name, number_of(name)
        self._patience, self._shown_url = patience, shown_url
        self._connection: Connection | None = None
        self._was_lost = False
        self._ended = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="server lock", daemon=True)

    def __enter__(self) -> bool:
        wait = LongWait(self._name, f"the server's pg_locks names its connection (key {self._number})")
        try:
            while not self._patience.call(self._try, self._shown_url):
                if not self._waits:
                    self._drop()
                    return False
                wait.look()
                time.sleep(RETRY_AFTER_S)
        except BaseException:
            self._drop()
            raise
        self._keeper.start()
        return True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._keeper.ident is not None:  # it was never started if the lock was not free
            self._keeper.join(timeout=CLOSE_S)
        self._drop()

    def _try(self) -> bool:
        """Try to take the lock once. Where the connection was lost, the holders come first."""
        with one_line_faults(self._shown_url):
            try:
                if self._connection is None:
                    self._connection = self._engine.connect()
                    if self._was_lost:
                        time.sleep(HOLDERS_FIRST_S)
                self._was_lost = True
                is_held = self._take(self._connection)
                self._was_lost = False
                return is_held
            except SQLAlchemyError:
                self._drop()
                raise

    def _take(self, connection: Connection) -> bool:
        return bool(connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": self._number}))

    def _keep(self) -> None:
        """Hold the lock until the block ends, on a new connection if the old one is lost."""
        held = True
        while not self._ended.wait(LOOK_AFTER_S):
            try:
                if self._connection is None:
                    self._connection = self._engine.connect()
                if held:
                    self._connection.execute(text("SELECT 1"))
                else:
                    held = self._take(self._connection)
            except SQLAlchemyError:  # the main thread's own calls tell of it
                self._drop()
                held = False

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()
