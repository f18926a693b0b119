"""Settings of Optuna's own connections to the same database, so that its transactions are safe beside ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from search.store import database
from search.store.database import until_free
from search.store.faults import one_line_faults
from search.store.outage.server_connection import connect_arguments, set_up_server
from search.store.url import mask, parse

READS_ONLY = {"yolofront_reads_only": True}
"""Execution option of a connection whose transactions only read."""


def engine_options(url: str) -> dict[str, Any]:
    """Return arguments of `create_engine` for Optuna's storage."""
    if parse(url).get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": database.BUSY_S}}
    return {
        "pool_size": 1,
        "max_overflow": 1,  # a worker must not take more than a few of the server's places
        "pool_pre_ping": True,
        "connect_args": connect_arguments(parse(url), "yolofront sampler"),
    }


def set_up_engine(engine: Engine) -> None:
    """Let the server end transactions that are left open; on SQLite begin each transaction with the write lock.

    Optuna reads a row and then writes it, and asks for a row lock in between that SQLite does not have: two
    workers start one waiting trial twice. Call this after Optuna has made its tables.
    """
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _leave_transactions_to_us)
        event.listen(engine, "begin", _begin_immediate)
    else:
        event.listen(engine, "connect", set_up_server)
    engine.dispose()  # connections made before must not be used again


@contextmanager
def faults_in_one_line(url: str) -> Iterator[None]:
    """Turn errors of the database under Optuna into `StoreUnavailable`, as for our own tables."""
    with one_line_faults(mask(url)):
        try:
            yield
        except Exception as error:  # nothing is swallowed: all is raised again
            # Optuna wraps the driver's error in one of its own, which this package may not import.
            fault = _fault_below(error)
            if fault is None:
                raise
            raise fault from None


def _fault_below(error: BaseException) -> BaseException | None:
    """Return the driver's fault that led to an error: its cause, or what was handled when it was raised."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, DBAPIError | PoolTimeout):
        seen = seen.__cause__ or seen.__context__
    return seen if isinstance(error.__cause__, SQLAlchemyError) else None


def _leave_transactions_to_us(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout={int(1000 * database.STEP_S)}")  # the longer wait is ours
    connection.execute("PRAGMA synchronous=NORMAL")  # this is advice; what must survive a power cut is in our tables


def _begin_immediate(connection: Connection) -> None:
    raw = cast(sqlite3.Connection, connection.connection.dbapi_connection)
    if connection.get_execution_options().get(*READS_ONLY):
        raw.execute("BEGIN")
        return
    with suppress(sqlite3.OperationalError):
        until_free(lambda: raw.execute("BEGIN IMMEDIATE"), database.BUSY_S)
        return
    connection.exec_driver_sql("BEGIN IMMEDIATE")  # raises what Optuna knows
