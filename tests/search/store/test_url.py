from __future__ import annotations

from pathlib import Path

import pytest

from search.store.base import StoreError
from search.store.url import canonical, mask, parse, sqlite_file

SECRET = "p@ss/w{0}rd:%#?&x"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///runs/yolofront.db", "sqlite:///runs/yolofront.db"),
        ("sqlite://", "sqlite://"),
        ("postgresql+psycopg://me@host/db", "postgresql+psycopg://me@host/db"),
        (f"postgresql+psycopg://me:{SECRET}@host:5432/db", "postgresql+psycopg://me:***@host:5432/db"),
        ("postgresql://me:p%40ss@host/db?sslmode=require", "postgresql://me:***@host/db?sslmode=require"),
        (
            "postgresql://host/db?user=me&password=secret&sslmode=require",
            "postgresql://host/db?user=me&password=***&sslmode=require",
        ),
        ("mysql://me:secret@host/db", "mysql://me:***@host/db"),
        ("me:secret@host", "***"),
    ],
)
def test_a_shown_url_has_no_password(url: str, shown: str) -> None:
    assert mask(url) == shown


@pytest.mark.parametrize("password", [SECRET, "p%40ss%2Fw%7B0%7Drd%3A%25%23%3F%26x"], ids=["raw", "percent-encoded"])
def test_a_password_is_read_whole_however_it_is_written(password: str) -> None:
    url = parse(f"postgresql://me:{password}@host:5432/db?application_name=x")
    assert (url.username, url.password, url.host, url.port, url.database) == ("me", SECRET, "host", 5432, "db")
    assert url.drivername == "postgresql+psycopg"
    assert dict(url.query) == {"application_name": "x"}


def test_the_canonical_url_can_be_formatted_and_read_again() -> None:
    url = canonical(f"postgres://me:{SECRET}@host/db")
    assert url.format(schema="x") == url  # Optuna formats the URL that it is given
    assert parse(url).password == SECRET


@pytest.mark.parametrize(
    "url", ["mysql://me:secret@host/db", "runs/yolofront.db", "", "postgresql://me:secret@host:p/d"]
)
def test_what_is_not_understood_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(StoreError, match=r"not (understood|well formed)") as raised:
        parse(url)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:///runs/a.db", Path("runs/a.db")),
        ("sqlite:////tmp/a.db", Path("/tmp/a.db")),
        ("sqlite://", None),
        ("sqlite:///:memory:", None),
        ("postgresql://host/db", None),
    ],
)
def test_the_file_of_a_url_is_known(url: str, file: Path | None) -> None:
    assert sqlite_file(parse(url)) == file
