"""Writes advice in a transaction, which goes on without it if its tables are absent or refuse it."""

from __future__ import annotations

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from search.store.faults import is_of_statement
from search.store.sampling.advice import Advice


def write_advice(connection: Connection, advice: Advice) -> None:
    """Write the rows of an advice, or none of them; `advice.is_written` says which."""
    advice.is_written = False
    try:
        with connection.begin_nested():
            is_written = advice.write(connection)
    except DBAPIError as error:
        if not is_of_statement(error):
            raise
    else:
        advice.is_written = is_written
