"""A named lock on PostgreSQL that outlasts a restart of the server.

Only its holder has a connection for it. Whoever waits looks whether it is free, with the connection that it has anyway:
fifty workers that wait take fifty of the server's connections, not a hundred.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import final

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from search.store.faults import one_line_faults
from search.store.outage.long_wait import LongWait
from search.store.outage.patience import Patience

FIRST_RETRY_S, LATE_RETRY_S = 0.05, 0.5
"""Shortest and longest time between two looks whether a lock is free."""
LOOK_AFTER_S = 1.0
"""Seconds between two looks of a holder whether the server still knows of its lock."""
HOLDERS_FIRST_S = 5.0
"""Seconds after a start of the server in which nobody takes a lock: those who held one before take it again."""
CLOSE_S = 10.0
"""Seconds that the end of the block waits for the thread, which may talk with a server that does not answer."""
_LOOK = text(
    "SELECT EXTRACT(EPOCH FROM clock_timestamp() - pg_postmaster_start_time()), EXISTS ("
    "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"
    " AND classid = CAST(CAST(:key AS bigint) >> 32 AS oid)"
    " AND objid = CAST(CAST(:key AS bigint) & 4294967295 AS oid)"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
)
"""Query for the seconds since the server's start, and whether the lock of a number is held."""


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
        ask: Runs a query on a connection that this process has for its transactions, and returns its result.
        waits: If False, entering returns False at once if another process holds the lock.
    """

    def __init__(
        self,
        engine: Engine,
        ask: Callable[[Callable[[Connection], tuple[float, bool]]], tuple[float, bool]],
        name: str,
        patience: Patience,
        shown_url: str,
        *,
        waits: bool = True,
    ) -> None:
        self._waits, self._ask = waits, ask
        self._engine, self._name, self._number = engine, name, number_of(name)
        self._patience, self._shown_url = patience, shown_url
        self._connection: Connection | None = None
        self._ended = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="server lock", daemon=True)

    def __enter__(self) -> bool:
        wait = LongWait(self._name, f"the server's pg_locks names its connection (key {self._number})")
        pause = FIRST_RETRY_S
        try:
            while not (self._looks_free() and self._patience.call(self._try, self._shown_url)):
                if not self._waits:
                    return False
                wait.look()
                time.sleep(pause * random.uniform(0.5, 1.0))  # those who wait must not all come at once
                pause = min(2 * pause, LATE_RETRY_S)
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
        if self._connection is not None and not self._keeper.is_alive():
            with suppress(SQLAlchemyError):  # the end of the connection frees it too, some milliseconds later
                self._connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": self._number})
        self._drop()

    def _looks_free(self) -> bool:
        """Return whether nobody holds the lock; after a start of the server only once the holders had their turn."""
        age_s, is_held = self._ask(self._look)
        if age_s < HOLDERS_FIRST_S:
            time.sleep(HOLDERS_FIRST_S - age_s)
            _, is_held = self._ask(self._look)
        return not is_held

    def _look(self, connection: Connection) -> tuple[float, bool]:
        age_s, is_held = connection.execute(_LOOK, {"key": self._number}).one()
        return max(0.0, float(age_s)), bool(is_held)

    def _try(self) -> bool:
        """Try to take the lock once, on a connection that is kept only if it is taken."""
        with one_line_faults(self._shown_url):
            try:
                self._connection = self._engine.connect()
                is_taken = self._take(self._connection)
            except SQLAlchemyError:
                self._drop()
                raise
            if not is_taken:
                self._drop()
            return is_taken

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
