"""Disk full, read-only, server gone, wrong password: one clear line, the password masked, nothing lost."""

from __future__ import annotations

import os
import pwd
import resource
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from search.cli.command import Exit, exit_of
from search.record.events import say_nothing
from search.store.base import StoreError, StoreUnavailable
from search.store.outage import server_lock
from search.store.outage.patience import Patience
from search.store.sql import open_store
from tests.search.store.examples import ME, add_trial, begin, new_study, record_of
from tests.search.store.postgres import PASSWORD, PostgresServer

FORK = get_context("fork")
AGAIN = "run the same command again; nothing is lost"


def is_one_clear_line(message: str) -> bool:
    return "\n" not in message and len(message) < 300 and message.endswith(AGAIN) and PASSWORD not in message


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that every account can reach, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="yolofront-test-"))
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def in_a_process(work: Callable[[], object]) -> str:
    """What `work` raises, run in a process that may spoil itself."""
    here, there = FORK.Pipe()
    process = FORK.Process(target=_tell_what_it_raises, args=(work, there))
    process.start()
    there.close()
    answer: str = here.recv()
    process.join()
    return answer


def _tell_what_it_raises(work: Callable[[], object], there: Connection) -> None:
    try:
        work()
        there.send("nothing")
    except StoreUnavailable as error:
        there.send(str(error))


def test_a_full_database_loses_nothing_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    pages: list[int] = []

    def limit(connection: sqlite3.Connection, _record: object) -> None:
        if pages:
            connection.execute(f"PRAGMA max_page_count={pages[0]}")  # SQLite then answers as on a full disk

    url = f"sqlite:///{tmp_path}/a.db"
    store = open_store(url)
    study = new_study(store)
    add_trial(store, study, record_of(0))
    store.close()
    event.listen(Engine, "connect", limit)
    try:
        with sqlite3.connect(tmp_path / "a.db") as connection:
            pages.append(connection.execute("PRAGMA page_count").fetchone()[0] + 2)
        store = open_store(url)
        with pytest.raises(StoreUnavailable, match="the disk is full; free some space") as raised:
            for number in range(1, 100):
                add_trial(store, study, record_of(number))
        store.close()
    finally:
        event.remove(Engine, "connect", limit)
    assert is_one_clear_line(str(raised.value))
    store = open_store(url)
    stored = len(store.records(study))
    waiting = store.reconcile(study, lambda worker: False, 0.0)
    assert sorted({*range(stored), *waiting}) == list(range(stored + len(waiting)))
    for number in waiting:
        attempt = store.reserve(study, ME, 1000)
        assert attempt is not None
        store.add(study, record_of(number), attempt)
    add_trial(store, study, record_of(100))
    assert len(store.records(study)) == stored + len(waiting) + 1
    store.close()


def test_a_disk_that_takes_no_more_bytes_is_one_clear_line(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    open_store(url).close()

    def fill() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write fails instead
        size = (tmp_path / "a.db").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, size // 2))
        store = open_store(url, Patience(0, say_nothing))
        study = new_study(store)
        for number in range(200):
            add_trial(store, study, record_of(number))

    message = in_a_process(fill)
    assert "the disk" in message
    assert is_one_clear_line(message)


def test_a_tiny_file_system_that_is_full_is_one_clear_line(tmp_path: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small tmpfs needs root with CAP_SYS_ADMIN")
    try:
        with pytest.raises(StoreUnavailable) as raised:
            store = open_store(f"sqlite:///{tmp_path}/a.db")
            study = new_study(store)
            for number in range(500):
                add_trial(store, study, record_of(number))
        assert is_one_clear_line(str(raised.value))
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)


@pytest.mark.parametrize("made_before", [True, False], ids=["existing database", "new database"])
def test_a_read_only_folder_is_one_clear_line(public_folder: Path, made_before: bool) -> None:
    url = f"sqlite:///{public_folder}/a.db"
    if made_before:
        open_store(url).close()
    for path in public_folder.iterdir():
        path.chmod(0o444 if path.is_file() else 0o555)
    public_folder.chmod(0o555)

    def start() -> None:
        if os.geteuid() == 0:  # root may write anywhere
            os.setuid(pwd.getpwnam("nobody").pw_uid)
        new_study(open_store(url))

    message = in_a_process(start)
    assert "writable" in message
    assert is_one_clear_line(message)


def test_a_database_on_a_read_only_medium_is_read_and_not_written(public_folder: Path) -> None:
    url = f"sqlite:///{public_folder}/a.db"
    store = open_store(url)
    add_trial(store, new_study(store), record_of(0))
    store.close()
    before = {path.name for path in public_folder.iterdir()}
    for path in public_folder.iterdir():
        path.chmod(0o444 if path.is_file() else 0o555)
    public_folder.chmod(0o555)

    def read() -> None:
        if os.geteuid() == 0:  # root may write anywhere
            os.setuid(pwd.getpwnam("nobody").pw_uid)
        store = open_store(url)
        (study,) = store.studies()
        if store.records(study, curves=True) != (record_of(0),) or len(store.fronts(study)) != 1:
            raise StoreUnavailable("not what was stored")
        begin(store, study, 1)

    message = in_a_process(read)
    assert "a.db: it is read-only" in message and is_one_clear_line(message)
    assert {path.name for path in public_folder.iterdir()} == before


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match=r"its folder cannot be made .*file"):
        open_store(f"sqlite:///{tmp_path}/file/a.db")


def test_a_file_that_is_no_database_is_named_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are my notes, and more than a few bytes of them\n" * 20)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="is not an SQLite database or is damaged"):
        open_store(f"sqlite:///{path}")
    assert path.read_bytes() == before


def test_a_wrong_password_is_one_clear_line(postgres_server: PostgresServer) -> None:
    with pytest.raises(StoreUnavailable, match="refuses this user or password") as raised:
        open_store(postgres_server.url("postgres", "another p@ssword"))
    assert "yolofront:***@127.0.0.1" in str(raised.value)
    assert is_one_clear_line(str(raised.value))
    assert "ssword@" not in str(raised.value)
    assert exit_of(raised.value) is Exit.USAGE


def test_a_password_is_taken_as_it_is_written(postgres_server: PostgresServer, postgres_url: str) -> None:
    database = postgres_url.rpartition("/")[2]
    open_store(f"postgresql://yolofront:{PASSWORD}@127.0.0.1:{postgres_server.port}/{database}").close()


def test_an_unknown_database_is_one_clear_line(postgres_server: PostgresServer) -> None:
    with pytest.raises(StoreUnavailable, match="no such database") as raised:
        open_store(postgres_server.url("nothing_here"))
    assert is_one_clear_line(str(raised.value))
    assert exit_of(raised.value) is Exit.USAGE


def test_no_server_there_is_one_clear_line() -> None:
    with pytest.raises(StoreUnavailable, match="no server answers there") as raised:
        open_store("postgresql+psycopg://me:secret@127.0.0.1:1/none")
    assert is_one_clear_line(str(raised.value))
    assert "secret" not in str(raised.value)
    assert exit_of(raised.value) is Exit.COME_BACK


def test_a_server_that_restarts_is_waited_for(postgres_server: PostgresServer, postgres_url: str) -> None:
    store = open_store(postgres_url)
    study = new_study(store)
    attempt = begin(store, study, 0)
    postgres_server.stop()
    with pytest.raises(StoreUnavailable, match="no server answers there") as raised:
        store.release(attempt)  # the one call that is not patient: an interrupted worker must end
    assert is_one_clear_line(str(raised.value))
    restart = threading.Thread(target=postgres_server.start)
    restart.start()
    store.heartbeat(attempt)
    restart.join()
    store.add(study, record_of(0), attempt)
    assert store.counted(study) == 1
    store.close()


def test_a_lock_and_who_waits_for_it_outlast_a_restart_of_the_server(
    postgres_server: PostgresServer, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_lock, "LOOK_AFTER_S", 0.1)
    monkeypatch.setattr(server_lock, "HOLDERS_FIRST_S", 1.0)
    store = open_store(postgres_url)
    entered = threading.Event()

    def wait_for_it() -> None:
        with store.exclusive("work"):
            entered.set()

    with store.exclusive("work"):
        waiter = threading.Thread(target=wait_for_it)
        waiter.start()
        time.sleep(0.3)  # it asks for the lock
        postgres_server.stop()  # which forgets the holder's lock
        postgres_server.start()
        assert not entered.wait(1.5), "the holder takes its lock again before others"
    waiter.join(timeout=60)
    assert entered.is_set()
    store.close()
