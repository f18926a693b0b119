"""Connections, transactions and locks, for SQLite and PostgreSQL. Knows no table of ours.

`ask` and `change` are the way of all our transactions: they run one whole, and again while the database is away.

SQLite runs in WAL with `synchronous=FULL`: a commit that was acknowledged survives a power cut, which NORMAL
does not promise in WAL. It costs one fsync a commit, some ten a trial; a trial costs minutes.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from typing import Any, cast

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import RootTransaction
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool, QueuePool

from search.store.base import StoreError, StoreUnavailable
from search.store.faults import is_busy, one_line_faults, read_only_fault
from search.store.outage.file_lock import file_lock, thread_lock
from search.store.outage.patience import Patience, Result, note_waiting
from search.store.outage.read_only import ReadableCopy
from search.store.outage.server_connection import connect_arguments, notice_lost_client, set_up_server
from search.store.outage.server_lock import ServerLock
from search.store.url import mask, sqlite_file

BUSY_S = 60.0  # how long to wait for another's SQLite transaction; ours take milliseconds
STEP_S = 1.0  # SQLite waits inside C, where signals are not handled; it returns after this time


class Database:
    """Database as one process uses it; safe to share among its threads.

    A process keeps one connection open, opens a second one only while two threads need one, and a third one while it
    holds a named lock. So N workers take little more than N of a server's connections.

    Args:
        patience: Waiting time of its calls while the database is away.
        keeps: Whether a connection to a server is kept between two calls. A process that calls seldom need not.

    Attributes:
        is_read_only: Whether every transaction that writes is refused.
    """

    def __init__(self, url: URL, patience: Patience | None = None, *, keeps: bool = True) -> None:
        self._url, self._keeps = url, keeps
        self.patience = patience or Patience()
        self.shown_url = mask(url.render_as_string(hide_password=False))
        self.file = sqlite_file(url)
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self.is_read_only = False
        self._copy: ReadableCopy | None = None
        self._named_locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        with one_line_faults(self.shown_url):
            self._make_folder()
            self._engine = self._create_engine()
        forget = weakref.WeakMethod(self._forget_inherited)
        os.register_at_fork(after_in_child=lambda: (method := forget()) and method())

    def ask(self, work: Callable[[Connection], Result]) -> Result:
        """Return what `work` returns in a transaction that only reads, begun again while the database is away."""

        def once() -> Result:
            with self.read() as connection:
                return work(connection)

        return self.patience.call(once, self.shown_url)

    def change(self, work: Callable[[Connection], Result]) -> Result:
        """Return what `work` returns in a transaction that writes, begun again while the database is away.

        Args:
            work: May be called again although it was committed, if the answer was lost: see `search.store.outage.once`.
        """

        def once() -> Result:
            with self.write() as connection:
                return work(connection)

        return self.patience.call(once, self.shown_url)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Begin one transaction that only reads."""
        with self._transaction(writes=False) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Begin one transaction that writes; on SQLite no other one writes at that moment."""
        with self._transaction(writes=True) as connection:
            yield connection

    @contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        """Hold a named lock among all processes that use this database; freed when the holder dies."""
        with self._lock(name, waits=True):
            yield

    def exclusive_if_free(self, name: str) -> AbstractContextManager[bool]:
        """Hold the lock of that name, unless another one holds it now; says whether it is held."""
        return self._lock(name, waits=False)

    def _lock(self, name: str, *, waits: bool) -> AbstractContextManager[bool]:
        if not self.is_sqlite:
            return ServerLock(self._lock_engine, self.ask, name, self.patience, self.shown_url, waits=waits)
        if self.file is not None:
            return file_lock(self.file, name, waits=waits)
        return thread_lock(self._named_locks[name], waits=waits)

    def prepare(self) -> None:
        """Check that the database answers; put an SQLite file in WAL mode once.

        Raises:
            StoreUnavailable: If it cannot be reached or opened.
        """
        self.patience.call(self._prepare, self.shown_url)

    def _prepare(self) -> None:
        if self.file is None:
            with self.read():
                return
        with one_line_faults(self.shown_url), self._engine.connect() as connection:
            raw = _raw(connection)
            if raw.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                with file_lock(self.file, "first-start"):
                    until_free(lambda: raw.execute("PRAGMA journal_mode=WAL").fetchone(), BUSY_S)

    @property
    def lies_read_only(self) -> bool:
        """True for an existing SQLite file in a folder that this process cannot write to."""
        return self.file is not None and os.access(self.file, os.R_OK) and not os.access(self.file.parent, os.W_OK)

    def readable_copy(self) -> Database:
        """Return a copy of the file in a temporary folder, which bears the name of this database in messages."""
        if self.file is None:
            raise ValueError(f"{self.shown_url} is no file")
        copy = ReadableCopy(self.file)
        copied = Database(self._url.set(database=str(copy.file)), self.patience)
        copied.shown_url, copied._copy = self.shown_url, copy
        return copied

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()
        if self._copy is not None:
            self._copy.delete()

    # -- making connections ----------------------------------------------------------------------------------------
    def _make_folder(self) -> None:
        if self.file is None:
            return
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(
                f"{self.shown_url}: its folder cannot be made ({error.strerror}: {error.filename}); "
                "make it, or give another with --storage"
            ) from error

    def _create_engine(self) -> Engine:
        if not self.is_sqlite:
            engine = create_engine(self._url, **_server_options(self._url, keeps=self._keeps))
            event.listen(engine, "connect", set_up_server)
            return engine
        in_memory = self.file is None
        engine = create_engine(
            self._url,
            json_serializer=_as_json,
            poolclass=QueuePool,
            pool_size=1,
            max_overflow=0 if in_memory else 1,  # a second connection would be another, empty database
            pool_timeout=BUSY_S,
            connect_args={"timeout": STEP_S, "check_same_thread": False},
        )
        event.listen(engine, "connect", _set_up_sqlite)
        return engine

    def _forget_inherited(self) -> None:
        """Drop the connections of the parent process after a fork."""
        self._engine.dispose(close=False)

    @cached_property
    def _lock_engine(self) -> Engine:
        engine = create_engine(self._url, isolation_level="AUTOCOMMIT", **_server_options(self._url, keeps=False))
        event.listen(engine, "connect", notice_lost_client)
        return engine

    # -- transactions ----------------------------------------------------------------------------------------------
    @contextmanager
    def _transaction(self, *, writes: bool) -> Iterator[Connection]:
        if writes and self.is_read_only:
            raise read_only_fault(self.shown_url)
        with one_line_faults(self.shown_url):
            connection = self._engine.connect()
            try:
                transaction = connection.begin()
                try:
                    if self.is_sqlite:
                        _begin_sqlite(connection, writes, min(BUSY_S, self.patience.seconds))
                    yield connection
                    transaction.commit()
                except BaseException as error:
                    _undo(connection, transaction, error)
                    raise
            finally:
                connection.close()


def _server_options(url: URL, *, keeps: bool) -> dict[str, Any]:
    options: dict[str, Any] = {"json_serializer": _as_json, "connect_args": connect_arguments(url, "yolofront")}
    if not keeps:
        return options | {"poolclass": NullPool}
    return options | {
        "pool_size": 1,
        "max_overflow": 1,
        "pool_timeout": BUSY_S,
        "pool_pre_ping": True,  # a restarted server is noticed before a transaction begins
    }


def _as_json(value: object) -> str:
    """Return JSON without NaN and infinity (`ValueError`); NumPy's scalars become plain."""
    return json.dumps(value, allow_nan=False, default=_plain)


def _plain(value: object) -> object:
    if hasattr(value, "item"):
        return value.item()
    if hasattr(value, "items"):
        return dict(value.items())
    raise TypeError(f"{type(value).__name__} {value!r} cannot be stored; give plain values")


def _raw(connection: Connection) -> sqlite3.Connection:
    return cast(sqlite3.Connection, connection.connection.dbapi_connection)


def _set_up_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # transactions are begun by us, never by the driver
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin_sqlite(connection: Connection, writes: bool, busy_s: float) -> None:
    """Take the write lock at once: a transaction that reads first and then writes cannot wait its turn."""
    raw = _raw(connection)
    until_free(lambda: raw.execute("BEGIN IMMEDIATE" if writes else "BEGIN"), busy_s)


def until_free(statement: Any, busy_s: float) -> None:
    """Make a statement again and again while another transaction keeps it from SQLite's lock; each time is a step."""
    deadline = time.monotonic() + busy_s
    while True:
        try:
            statement()
            return
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() >= deadline:
                raise
        note_waiting()
        time.sleep(0.01)  # lets a signal through


def _undo(connection: Connection, transaction: RootTransaction, error: BaseException) -> None:
    """Roll back; a connection that was interrupted within a statement is closed."""
    try:
        transaction.rollback()
    except SQLAlchemyError:
        if isinstance(error, StoreError | SQLAlchemyError):
            raise
        connection.invalidate()
