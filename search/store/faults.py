"""Errors of a database driver that mean "not available now", as one line that says what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from search.store.base import StoreError, StoreUnavailable

AGAIN = "run the same command again; nothing is lost"

_SQLITE = {  # by primary result code
    sqlite3.SQLITE_FULL: "the disk is full; free some space, then",
    sqlite3.SQLITE_READONLY: "it is read-only; make file and folder writable or give another with --storage, then",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that its folder exists and is writable, then",
    sqlite3.SQLITE_PERM: "access is not permitted; make file and folder writable, then",
    sqlite3.SQLITE_IOERR: "the disk cannot be read or written (full or failing); mend that, then",
    sqlite3.SQLITE_BUSY: "another program keeps it locked; close that program, then",
    sqlite3.SQLITE_LOCKED: "another program keeps it locked; close that program, then",
    sqlite3.SQLITE_PROTOCOL: "other programs keep it busy; close them, then",
}
_DAMAGED = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}
# A full disk does not pass by itself: it ends the run at once, with a line that says so.
_PASSES_ON_SQLITE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
}
_LASTING = ("28", "3D", "42501", "53100")  # wrong user, no such database, no rights, disk full
_STARTING = ("57P01", "57P02", "57P03", "53300")  # stopping, crashed, starting, no free connection
_BROKEN = "the connection is broken; when the server can be reached again,"
_POSTGRESQL = (  # by the first characters of SQLSTATE
    ("28", "the server refuses this user or password; correct the URL, then"),
    ("3D", "the server has no such database; create it (createdb) or correct the URL, then"),
    ("53100", "the server's disk is full; free some space there, then"),
    ("53300", "the server has no free connection; raise max_connections or use fewer workers, then"),
    ("53", "the server is short of memory or another resource; mend that, then"),
    ("58", "the server cannot read or write its files; mend that, then"),
    ("57P", "the server is stopping or starting; when it is up again,"),
    ("57014", "the server cancelled the statement (statement_timeout?);"),
    ("08", _BROKEN),
    ("25P03", "the server ended a transaction in which nothing happened for long;"),
    ("25006", "it is read-only (a standby?); give the primary's URL, then"),
    ("42501", "this user may not create or write tables there; grant it the rights, then"),
    ("40", "it was too busy to order this transaction;"),
    ("55P03", "another program keeps a lock;"),
)
# While connecting, psycopg gives the server's words but not its SQLSTATE.
_REFUSED = (
    ("authentication failed", "the server refuses this user or password; correct the URL, then"),
    ("no password supplied", "the server wants a password; put it in the URL, then"),
    ("no pg_hba.conf entry", "the server does not let this user in from this machine; allow it (pg_hba.conf), then"),
    ("does not exist", "the server has no such database or user; create it or correct the URL, then"),
    ("resolve host", "its host name is not known; correct the URL, then"),
)
_PASSES_THOUGH_REFUSED = "resolve host"  # name servers fail as other servers do
_UNREACHED = (
    ("too many clients", "the server has no free connection; raise max_connections or use fewer workers, then"),
    ("starting up", "the server is starting; when it is up,"),
    ("shutting down", "the server is stopping; when it is up again,"),
    ("refused", "no server answers there; start it or correct the URL, then"),
    ("no such file", "no server answers there; start it or correct the URL, then"),
    ("timeout", "no server answers there; start it or correct the URL, then"),
)
_WITHOUT_ANSWER = ("OperationalError", "ConnectionTimeout")
"""Errors of psycopg without a server's answer: not connected, or not any more."""


@contextmanager
def one_line_faults(shown_url: str) -> Iterator[None]:
    """Turn a driver's errors about the outside world into `StoreUnavailable`; a bug's errors pass unchanged.

    Args:
        shown_url: The database's URL without its password.
    """
    try:
        yield
    except PoolTimeout as error:
        raise StoreUnavailable(f"{shown_url}: no connection became free; {AGAIN}") from error
    except (DBAPIError, sqlite3.Error) as error:  # the latter from statements that bypass SQLAlchemy: BEGIN, PRAGMA
        explained = _explained(shown_url, error.orig if isinstance(error, DBAPIError) else error)
        if explained is None:
            raise
        raise explained from error
    except StatementError as error:
        if isinstance(error.orig, ValueError | TypeError):  # a value that must not be stored, such as NaN
            raise error.orig from None
        raise


def may_pass(error: BaseException) -> bool:
    """Return whether another try of the same transaction may succeed without anybody's help.

    Busy and unreachable databases come back. Wrong passwords, full disks, our own mistakes and violated
    constraints stay.

    Args:
        error: A driver's error, or the `StoreUnavailable` that was made of it.
    """
    found = _of_driver(error)
    if found is None:
        return isinstance(error.__cause__ if isinstance(error, StoreUnavailable) else error, PoolTimeout)
    if isinstance(found, sqlite3.Error):
        return _primary_code(found) in _PASSES_ON_SQLITE
    state = getattr(found, "sqlstate", None)
    if state is not None:
        is_known = any(str(state).startswith(start) for start, _ in _POSTGRESQL)
        return is_known and not str(state).startswith(_LASTING)
    return type(found).__name__ in _WITHOUT_ANSWER and not is_wrong_url(error)


def works_later(error: BaseException) -> bool:
    """Return whether the same command may work later: after an error that may pass, or when the disk has space again.

    An SQLite file that cannot be opened is none of these: it is a folder, or its path is wrong.
    """
    found = _of_driver(error)
    never_opens = isinstance(found, sqlite3.Error) and _primary_code(found) == sqlite3.SQLITE_CANTOPEN
    return is_disk_full(error) or (may_pass(error) and not never_opens)


def is_of_statement(error: BaseException) -> bool:
    """Return whether only the statement is at fault, for a table that is absent or a violated constraint.

    The transaction can go on from its last savepoint. After other errors SQLite may have ended it by itself.
    """
    found = _of_driver(error)
    if isinstance(found, sqlite3.Error):
        return _primary_code(found) in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT)
    return str(getattr(found, "sqlstate", None) or "").startswith(("23", "42"))


def is_disk_full(error: BaseException) -> bool:
    """Return whether the database's disk is full: it stays so until somebody frees space, which others may do."""
    found = _of_driver(error)
    if isinstance(found, sqlite3.Error):
        return _primary_code(found) == sqlite3.SQLITE_FULL
    return getattr(found, "sqlstate", None) == "53100"


def is_wrong_url(error: BaseException) -> bool:
    """Return whether a PostgreSQL server refuses what the URL names: its database, its user or its password."""
    found = _of_driver(error)
    state = getattr(found, "sqlstate", None)
    if state is not None:
        return str(state).startswith(("28", "3D"))
    message = str(found).lower()
    return type(found).__name__ in _WITHOUT_ANSWER and any(
        sign in message for sign, _ in _REFUSED if sign != _PASSES_THOUGH_REFUSED
    )


def is_starting(error: BaseException) -> bool:
    """Return whether a server has answered that it starts, stops or is full. A wrong URL gives no such answer."""
    found = _of_driver(error)
    state = getattr(found, "sqlstate", None)
    if state is not None:
        return str(state).startswith(_STARTING)
    return any(sign in str(found).lower() for sign in ("starting up", "shutting down", "too many clients"))


def read_only_fault(shown_url: str) -> StoreUnavailable:
    """Return the error of a database that can only be read."""
    return StoreUnavailable(f"{shown_url}: {_SQLITE[sqlite3.SQLITE_READONLY]} {AGAIN}")


def reason_of(error: BaseException) -> str:
    """Return why the database is not available, in a few words without advice."""
    found = _of_driver(error)
    explained = None if found is None else _explained("", found)
    if explained is None:
        return "no connection became free"
    return str(explained).removeprefix(": ").partition(";")[0]


def _of_driver(error: BaseException) -> BaseException | None:
    """Return the driver's own error in an error of SQLAlchemy or of ours."""
    if isinstance(error, StoreUnavailable) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, DBAPIError):
        return error.orig
    return error if isinstance(error, sqlite3.Error) else None


def is_busy(error: sqlite3.Error) -> bool:
    """Return whether another connection holds SQLite's lock."""
    return _primary_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _explained(shown_url: str, error: BaseException | None) -> StoreError | None:
    if isinstance(error, sqlite3.Error):
        code = _primary_code(error)
        if code in _DAMAGED:
            return StoreError(f"{shown_url} is not an SQLite database or is damaged; restore it or give another file")
        return _unavailable(shown_url, _SQLITE.get(code))
    state = getattr(error, "sqlstate", None)
    if state is not None:
        return _unavailable(shown_url, next((advice for start, advice in _POSTGRESQL if state.startswith(start)), None))
    if type(error).__name__ in _WITHOUT_ANSWER:
        return _unavailable(shown_url, _without_answer(str(error)))
    return None


def _without_answer(message: str) -> str:
    low = message.lower()
    return next((advice for sign, advice in (*_REFUSED, *_UNREACHED) if sign in low), _BROKEN)


def _unavailable(shown_url: str, advice: str | None) -> StoreUnavailable | None:
    return StoreUnavailable(f"{shown_url}: {advice} {AGAIN}") if advice else None


def _primary_code(error: sqlite3.Error) -> int:
    code: int = getattr(error, "sqlite_errorcode", None) or 0
    return code & 0xFF
