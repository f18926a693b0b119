from __future__ import annotations

import re
from pathlib import Path

import pytest

from search.record.folders import RunFolder
from search.store.base import StoreError
from search.store.sql import open_store
from search.store.url import StorageUrlError, canonical, has_password, mask, parse, sqlite_file

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
        ("postgresql://lena@labserver:s3cret-pw@host/db", "postgresql://lena%40labserver:***@host/db"),
        ("postgresql://lena@labserver:s3cret@:p@127.0.0.1:1/db", "postgresql://lena%40labserver:***@127.0.0.1:1/db"),
        ("postgresql://host/db?sslpassword=secret", "postgresql://host/db?sslpassword=***"),
        ("postgresql://me:secret@host:port/db", "postgresql://***"),  # nobody knows what part of it is the password
        ("sqlite:///a.db?password=secret", "sqlite:///a.db?***"),
        ("sqlite://me:secret@host/a.db", "sqlite://***"),
        ("sqlite:////home/me@work/a.db", "sqlite:////home/me@work/a.db"),
    ],
)
def test_a_shown_url_has_no_password(url: str, shown: str) -> None:
    assert mask(url) == shown


# What people write: users called user@server (Azure), passwords of any characters, hosts of several kinds.
USERS = ("me", "lena@labserver", "a.b-c_d", "ü")
PASSWORDS = ("secret", "s3cret@:p", "@", "/", "a@b@c", "?x=1&password=y", "#", "***", "%zz", "{0}", "a b", "\\", "'")
HOSTS = ("host/db", "127.0.0.1:5432/db", "[::1]:5432/db", "h.example/db?sslmode=require", "host")


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("host", HOSTS)
def test_no_password_is_shown_whatever_stands_around_it(user: str, host: str) -> None:
    for password in PASSWORDS:
        url = f"postgresql://{user}:SE{password}CRET@{host}"
        assert "SE" not in mask(url) and "CRET" not in mask(url), url
        assert parse(url).username == user and has_password(url)


def test_a_url_without_a_password_has_none() -> None:
    for url in ("sqlite:///a.db", "sqlite://", "postgresql://me@host:5432/db", "postgresql:///db?host=/run"):
        assert mask(url) == url and not has_password(url)


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
    ("url", "right"),
    [
        ("sqlite://study.db", "write sqlite:///study.db (three slashes)"),
        ("sqlite://runs/study.db", "write sqlite:///runs/study.db (three slashes)"),
        ("sqlite:study.db", "write sqlite:///folder/file.db"),
        ("sqlite:///a.db?mode=ro", "without options"),
        ("sqlite:///a\0.db", "not well formed"),
        ("postgresql://h:99999/db", "not well formed"),
        ("postgresql://h:x/db", "not well formed"),
        ("postgresql://h/db?port=x&host=a:b:c", "not well formed"),
    ],
)
def test_a_url_that_the_driver_would_refuse_is_refused_in_one_line(url: str, right: str) -> None:
    with pytest.raises(StorageUrlError, match=re.escape(right)) as raised:
        parse(url)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["my%20project", "a%zz", "what?", "a#b", "a b", "{x}", "ü", "%", "%%25", "a&b=c"])
def test_the_database_lies_in_the_run_folder_whatever_its_name(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name / "runs"
    url = RunFolder(folder).default_storage
    assert sqlite_file(parse(url)) == folder / "yolofront.db"
    open_store(url).close()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert sqlite_file(parse(canonical(url).format(schema="x"))) == folder / "yolofront.db"  # as Optuna reads it


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
