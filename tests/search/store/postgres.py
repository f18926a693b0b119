"""A real PostgreSQL on loopback for the tests: made in a temporary folder, gone afterwards."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from benchmarks.disturbing.databases import free_port, ordinary_user

PASSWORD = "p@ss/w{0}rd:%#?"  # what a URL, Optuna's formatting and a message could trip over
USER = "yolofront"
START_S = 60.0


def programs() -> Path | None:
    """Folder of PostgreSQL's programs; None where it is not installed. Debian keeps them off the PATH."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    return folders[-1].parent if folders else None


class PostgresServer:
    """One running server. Databases are made in it and dropped one a test."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries, self._folder = binaries, folder
        self._data = folder / "data"
        self.port = free_port()
        # initdb and postgres refuse to run as root
        self._account = pwd.getpwnam(ordinary_user()) if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        self._make()
        self.start()

    def url(self, database: str, password: str = PASSWORD) -> str:
        """URL of one of its databases; the password percent-encoded, as a URL should be."""
        return f"postgresql+psycopg://{USER}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start and wait until it answers."""
        log = (self._folder / "log").open("ab")
        options = ["-D", str(self._data), "-p", str(self.port), "-k", str(self._folder)]
        # Crash safety of the server's own disk is not what is tested; without it the tests are faster.
        fast = ["-c", "fsync=off", "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=100"]
        command = [str(self._binaries / "postgres"), *options, *fast]
        with log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, **self._as_account())
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                self.execute("SELECT 1")
                return
            except psycopg.OperationalError:
                time.sleep(0.05)  # starting; the loop's end is its deadline
        raise RuntimeError(f"PostgreSQL did not start: {(self._folder / 'log').read_text()[-2000:]}")

    def stop(self) -> None:
        """Stop at once, cutting off whoever is connected."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=START_S)
            self._process = None

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Run one statement as the superuser."""
        with psycopg.connect(
            host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, dbname=database, autocommit=True
        ) as connection:
            connection.execute(statement.encode())

    @contextmanager
    def database(self, options: str = "") -> Iterator[str]:
        """A fresh database; yields its name."""
        name = f"test_{secrets.token_hex(6)}"
        self.execute(f"CREATE DATABASE {name} {options}")
        try:
            yield name
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _make(self) -> None:
        secret = self._folder / "password"
        secret.write_text(PASSWORD)
        if self._account is not None:
            for path in (self._folder, secret):
                os.chown(path, self._account.pw_uid, self._account.pw_gid)
        options = ["-D", str(self._data), "-U", USER, "-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8"]
        command = [str(self._binaries / "initdb"), *options, "--locale=C", "--no-sync"]
        made = subprocess.run(command, capture_output=True, text=True, **self._as_account())
        if made.returncode:
            raise RuntimeError(f"initdb failed: {made.stderr[-2000:]}")

    def _as_account(self) -> dict[str, Any]:
        if self._account is None:
            return {"cwd": self._folder}
        ids = {"user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": []}
        return {"cwd": self._folder, **ids}


@contextmanager
def running_server() -> Iterator[PostgresServer]:
    """A server in a folder of its own, short enough for a socket's path."""
    binaries = programs()
    assert binaries is not None
    folder = Path(tempfile.mkdtemp(prefix="yolofront-pg-"))
    server = None
    try:
        server = PostgresServer(binaries, folder)
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)
