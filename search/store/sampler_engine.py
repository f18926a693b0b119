"""Settings of Optuna's own connections to the same database, so that its transactions are safe beside ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError

from search.store.database import BUSY_S
from search.store.faults import one_line_faults
from search.store.url import mask, parse


def engine_options(url: str) -> dict[str, Any]:
    """Return arguments of `create_engine` for Optuna's storage."""
    if parse(url).get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": BUSY_S}}
    return {
        "pool_size": 1,
        "max_overflow": 1,  # a worker must not take more than a few of the server's places
        "pool_pre_ping": True,
        "connect_args": {"connect_timeout": 5, "application_name": "yolofront sampler"},
    }


def make_writes_immediate(engine: Engine) -> None:
    """Make every transaction on SQLite begin with the write lock; change nothing on other databases.

    Optuna reads a row and then writes it, and asks for a row lock in between that SQLite does not have: two
    workers start one waiting trial twice. Call this after Optuna has made its tables.
    """
    if engine.dialect.name != "sqlite":
        return
    event.listen(engine, "connect", _leave_transactions_to_us)
    event.listen(engine, "begin", _begin_immediate)
    engine.dispose()  # connections made before must not be used again


@contextmanager
def faults_in_one_line(url: str) -> Iterator[None]:
    """Turn errors of the database under Optuna into `StoreUnavailable`, as for our own tables."""
    with one_line_faults(mask(url)):
        try:
            yield
        except Exception as error:  # nothing is swallowed: all is raised again
            # Optuna wraps the driver's error in one of its own, which this package may not import.
            if isinstance(error.__cause__, DBAPIError):
                raise error.__cause__ from None
            raise


def _leave_transactions_to_us(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA synchronous=NORMAL")  # this is advice; what must survive a power cut is in our tables


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
