"""Transactions that are made once, although the answer to their commit may be lost with the connection.

A transaction writes its key in the row of its writer, together with all else. If it is made again and finds its own key
there, it was committed before.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable
from typing import Generic, final

from sqlalchemy import Connection

from search.store.columns import database_now
from search.store.models import WriterRow
from search.store.outage.patience import Result
from search.store.statements import insert_or_replace_if_other

_here = threading.local()


@final
class Once(Generic[Result]):
    """Work of one transaction. Called again after its commit it changes nothing, and returns the same.

    Args:
        work: Gets the connection; everything that it writes belongs to the transaction.
    """

    def __init__(self, work: Callable[[Connection], Result]) -> None:
        self._work = work
        self._key = secrets.token_hex(8)
        self._results: list[Result] = []

    def __call__(self, connection: Connection) -> Result:
        """Do the work, unless this key is committed. Return its result."""
        row = {"writer": _writer(), "last": self._key, "at": database_now()}
        if insert_or_replace_if_other(connection, WriterRow, row, other="last"):
            self._results[:] = [self._work(connection)]
        (result,) = self._results
        return result


def _writer() -> str:
    """Return the name of this thread; a forked process gets names of its own."""
    pid, name = getattr(_here, "writer", (None, ""))
    if pid != os.getpid():
        name = secrets.token_hex(8)
        _here.writer = (os.getpid(), name)
    return name
