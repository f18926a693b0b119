"""Settings of connections to PostgreSQL that let both sides notice when the other one is gone."""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL

IDLE_IN_TRANSACTION = "60s"
"""Time after which the server ends a transaction: a process that is stopped within one must not keep its locks."""

LOST_CLIENT = {"tcp_keepalives_idle": 30, "tcp_keepalives_interval": 10, "tcp_keepalives_count": 3}
"""Seconds and tries after which the server ends a connection whose machine is gone; by default that takes two hours."""


def connect_arguments(url: URL, application_name: str) -> dict[str, Any]:
    """Return arguments of psycopg, but those that the URL gives itself. A dead network is noticed within a minute."""
    wanted = {
        "client_encoding": "utf8",  # a database in SQL_ASCII names no encoding, and text would come as bytes
        "connect_timeout": 5,
        "application_name": application_name,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 60_000,
    }
    return {key: value for key, value in wanted.items() if key not in url.query}


def set_up_server(connection: Any, _record: object) -> None:
    """Let the server end a transaction in which nothing happens: its process is stopped, or its machine is gone."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_IN_TRANSACTION}'")
    connection.commit()


def notice_lost_client(connection: Any, _record: object) -> None:
    """Let the server notice within a minute that the machine of this connection is gone: it may hold a lock."""
    with connection.cursor() as cursor:
        for name, value in LOST_CLIENT.items():
            cursor.execute(f"SET {name} = {value}")
    connection.commit()
