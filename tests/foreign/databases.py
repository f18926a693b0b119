"""Database files and URLs with a fault, and overrides of a study."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.foreign.texts import DEEP, ESCAPE, GARBAGE


def _foreign(path: Path) -> None:
    """Write the database of another program, which has a table of the name of ours."""
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE studies (a TEXT)")
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES (?)", (ESCAPE,))
    connection.close()


def _cut(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE a (b TEXT)")
        connection.executemany("INSERT INTO a VALUES (?)", [("x" * 500,)] * 200)
    connection.close()
    path.write_bytes(path.read_bytes()[:5000])


DATABASES: dict[str, Callable[[Path], object]] = {
    **{name: partial(Path.write_bytes, data=text) for name, text in GARBAGE.items() if name != "empty"},
    "of another program": _foreign,
    "cut": _cut,
    "a folder": Path.mkdir,
}
URLS = (
    "sqlite://study.db", "sqlite:study.db", "sqlite:/study.db", "sqlite:///a.db?mode=ro", "sqlite:///\0", "",
    f"sqlite://{ESCAPE}", f"{ESCAPE}://x", "postgresql://me:secret@host:port/db", "postgresql://h:99999/db",
    "postgresql://me:secret@[::1/db", "mysql://me:secret@host/db", "://", "postgresql+psycopg2://me:secret@h/db",
    "file:///etc/passwd", "postgresql://h/db?port=x&host=a:b:c", "sqlite://me:secret@host/x.db",
)  # fmt: skip
OVERRIDES = (
    "x", "=", "a=b", f"{ESCAPE}=1", f"recipe.lr0={ESCAPE}", "recipe.lr0=[", "recipe.lr0=" + "[" * DEEP,
    "recipe.lr0=!!python/object:os.system {}", "recipe.lr0=&a [*a]", "recipe=1", "recipe.lr0.low=1", "space.type=[]",
    "data.source.x=1", "recipe.epochs=" + "9" * 5000, "recipe.epochs=.nan", "recipe.lr0={low: 1, high: .inf}",
    "objectives=[1]", "limits={latency_ms: -1}", "sampler.name={a: 1}", "a" * 100_000 + "=1", "..=1", "recipe..lr0=1",
)  # fmt: skip
