"""Database URLs: read as people write them, shown without passwords. The store speaks two dialects."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlencode

from search.store.base import StoreError

if TYPE_CHECKING:
    from sqlalchemy import URL

HIDDEN = "***"
_DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
# The password runs to the last `@`, so that one with @ : / # ? needs no percent encoding. A user may hold an @, too.
_WITH_USER = re.compile(r"(?P<user>[^:/]*)(?::(?P<password>.*))?@(?P<rest>[^@]*)", re.DOTALL)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_SECRET_OPTION = re.compile(r"(?i)pass|secret|token")


class StorageUrlError(StoreError):
    """Database URL that is written wrongly. The message says what is right, and shows no password."""


def parse(url: str) -> URL:
    """Read a database URL.

    Args:
        url: `sqlite:///path`, `sqlite://` (in memory) or `postgresql+psycopg://user:password@host:port/database`.
            The password may be written as it is or percent-encoded.

    Raises:
        StorageUrlError: If the URL is not one of these; the password is not shown.
    """
    scheme, separator, rest = url.strip().partition("://")
    driver = _DRIVERS.get(scheme.lower())
    if not separator or driver is None:
        raise StorageUrlError(
            f"database url '{mask(url)}' is not understood; write sqlite:///folder/file.db or "
            "postgresql+psycopg://user:password@host/database"
        )
    if driver == "sqlite":
        return _file_url(rest)
    try:
        return _server_url(driver, rest)
    except ValueError:
        raise StorageUrlError(f"database url '{mask(url)}' is not well formed") from None


def canonical(url: str) -> str:
    """Return the URL with its password percent-encoded, braces included: what Optuna (which formats it) can take."""
    return parse(url).render_as_string(hide_password=False)


def has_password(url: str) -> bool:
    """Return whether a text holds a database's password, or is a URL of which nobody can tell."""
    return mask(url) != url.strip()


def mask(url: str) -> str:
    """Return the URL for messages: passwords replaced by `***`. Takes any string.

    What is shown is made of what was parsed; of a URL that cannot be parsed only the scheme is shown.
    """
    url = url.strip()
    scheme, separator, rest = url.partition("://")
    driver = _DRIVERS.get(scheme.lower())
    if not separator:
        return HIDDEN if any(sign in url for sign in "@:?") else url
    if driver == "sqlite":
        if "@" in rest and not rest.startswith("/"):  # a user and a password, which no file has
            return f"{scheme}://{HIDDEN}"
        place, question, _ = url.partition("?")
        return f"{place}?{HIDDEN}" if question else url
    try:
        parsed = _server_url(driver or _DRIVERS["postgresql"], rest)  # others are refused, but look alike
    except ValueError:
        return f"{scheme}://{HIDDEN}" if _SCHEME.fullmatch(scheme) else HIDDEN
    secret = {name: HIDDEN for name in parsed.query if _SECRET_OPTION.search(name)}
    if parsed.password is None and not secret:
        return url
    options = urlencode({**parsed.query, **secret}, safe="*/", doseq=True)
    shown = parsed.set(query={}).render_as_string(hide_password=True).partition("://")[2]
    return f"{scheme}://{shown}{'?' * bool(options)}{options}"


def sqlite_file(url: URL) -> Path | None:
    """Return the database file of an SQLite URL; None for a database in memory or on a server."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database))


def _file_url(rest: str) -> URL:
    """Read what follows `sqlite://`: nothing, or a slash and the path of a file."""
    if rest and not rest.startswith("/") and "@" not in rest:
        raise StorageUrlError(f"database url 'sqlite://{rest}' has two slashes; write sqlite:///{rest} (three slashes)")
    try:
        found = _read(f"sqlite://{rest}")
    except ValueError:
        found = None
    if found is None or found.host or found.query or "\0" in (found.database or ""):
        raise StorageUrlError(
            f"database url '{mask(f'sqlite://{rest}')}' is not well formed; write sqlite:///folder/file.db, "
            "without options, and %3F and %25 for ? and % in its name"
        )
    return found


def _server_url(driver: str, rest: str) -> URL:
    """Read what follows `postgresql://`, and let the driver look at it.

    Raises:
        ValueError: If a part is wrong.
    """
    from sqlalchemy.exc import ArgumentError

    parts = _WITH_USER.fullmatch(rest)
    found = _read(f"{driver}://{rest if parts is None else parts['rest']}")
    if parts is not None:
        password = None if parts["password"] is None else unquote(parts["password"])
        found = found.set(username=unquote(parts["user"]), password=password)
    try:
        found.get_dialect()().create_connect_args(found)
    except ArgumentError as error:
        raise ValueError(str(error)) from None
    if found.port is not None and not 0 < found.port < 2**16:
        raise ValueError(f"port {found.port}")
    return found


def _read(url: str) -> URL:
    """Read a whole URL.

    Raises:
        ValueError: If it is not well formed.
    """
    from sqlalchemy import make_url  # takes a third of a second: not for --help
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url)
    except ArgumentError as error:
        raise ValueError(str(error)) from None
