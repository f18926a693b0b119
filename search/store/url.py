"""Database URLs: read as people write them, shown without passwords. The store speaks two dialects."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from search.store.base import StoreError

HIDDEN = "***"
_DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
# The password runs to the last `@`, so that one with @ : / # ? needs no percent encoding.
_WITH_USER = re.compile(r"(?P<user>[^:@/]*)(?::(?P<password>.*))?@(?P<rest>[^@]*)", re.DOTALL)


def parse(url: str) -> URL:
    """Read a database URL.

    Args:
        url: `sqlite:///path`, `sqlite://` (in memory) or `postgresql+psycopg://user:password@host:port/database`.
            The password may be written as it is or percent-encoded.

    Raises:
        StoreError: If the URL is not one of these; the password is not shown.
    """
    scheme, separator, rest = url.strip().partition("://")
    driver = _DRIVERS.get(scheme.lower())
    if not separator or driver is None:
        raise StoreError(
            f"database url '{mask(url)}' is not understood; write sqlite:///folder/file.db or "
            "postgresql+psycopg://user:password@host/database"
        )
    try:
        if driver == "sqlite":
            return make_url(f"{driver}://{rest}")
        return _server_url(driver, rest)
    except (ArgumentError, ValueError):
        raise StoreError(f"database url '{mask(url)}' is not well formed") from None


def canonical(url: str) -> str:
    """Return the URL with its password percent-encoded, braces included: what Optuna (which formats it) can take."""
    return parse(url).render_as_string(hide_password=False)


def mask(url: str) -> str:
    """Return the URL for messages: passwords replaced by `***`. Takes any string, well formed or not."""
    scheme, separator, rest = url.strip().partition("://")
    if not separator:
        return HIDDEN if "@" in url else url
    if not scheme.lower().startswith("sqlite") and (found := _WITH_USER.fullmatch(rest)):
        secret = "" if found["password"] is None else f":{HIDDEN}"
        rest = f"{found['user']}{secret}@{found['rest']}"
    return f"{scheme}://" + re.sub(r"(?i)([?&][^=&]*password=)[^&]*", rf"\g<1>{HIDDEN}", rest)


def sqlite_file(url: URL) -> Path | None:
    """Return the database file of an SQLite URL; None for a database in memory or on a server."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database))


def _server_url(driver: str, rest: str) -> URL:
    found = _WITH_USER.fullmatch(rest)
    if found is None:
        return make_url(f"{driver}://{rest}")
    password = None if found["password"] is None else unquote(found["password"])
    return make_url(f"{driver}://{found['rest']}").set(username=unquote(found["user"]), password=password)
