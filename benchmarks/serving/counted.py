"""Counts what a piece of work costs: CPU-seconds of this process, statements and commits of its databases."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, event

WRITES = ("INSERT", "UPDATE", "DELETE")


@dataclass
class Cost:
    """Cost of a piece of work.

    Attributes:
        cpu_s: CPU-seconds of this process, all threads.
        statements: Statements that were sent to the database, without those that begin and end a transaction.
        transactions: Transactions that were committed.
        commits: Those of them that changed something.
    """

    cpu_s: float = 0.0
    statements: int = 0
    transactions: int = 0
    commits: int = 0


@contextmanager
def counted() -> Iterator[Cost]:
    """Count the cost of the block, over all engines of this process."""
    cost = Cost()
    wrote: set[int] = set()

    def note_statement(connection: Connection, cursor: object, statement: str, *_: object) -> None:
        cost.statements += 1
        if statement.lstrip()[:6].upper() in WRITES:
            wrote.add(id(connection.connection.dbapi_connection))

    def note_commit(connection: Connection) -> None:
        cost.transactions += 1
        raw = id(connection.connection.dbapi_connection)
        cost.commits += raw in wrote
        wrote.discard(raw)

    event.listen(Engine, "before_cursor_execute", note_statement)
    event.listen(Engine, "commit", note_commit)
    begun = time.process_time()
    try:
        yield cost
    finally:
        cost.cpu_s = time.process_time() - begun
        event.remove(Engine, "before_cursor_execute", note_statement)
        event.remove(Engine, "commit", note_commit)
