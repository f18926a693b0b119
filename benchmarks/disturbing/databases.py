"""Databases that can go away: an SQLite file that another program locks, and a PostgreSQL of our own that restarts."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path

SERVER_FOLDERS = Path("/usr/lib/postgresql")
"""Folder of PostgreSQL's programs on Debian, with one subfolder for each version."""


class DisturbedDatabase(ABC):
    """Database of a disturbed study."""

    name: str
    url: str

    @abstractmethod
    def go_away(self, seconds: float, *, hard: bool) -> None:
        """Go away and come back.

        Args:
            hard: Whether it ends as in a crash, where there is a difference.
        """

    def close(self) -> None:  # noqa: B027 (a file needs none)
        """End it for good."""


class LockedFile(DisturbedDatabase):
    """SQLite file: a program that does not belong to the study locks it for a while."""

    name = "SQLite"

    def __init__(self, file: Path) -> None:
        self._file = file
        self.url = f"sqlite:///{file}"

    def go_away(self, seconds: float, *, hard: bool) -> None:
        """Lock the file."""
        connection = sqlite3.connect(self._file, timeout=60, isolation_level=None)
        try:
            connection.execute("BEGIN EXCLUSIVE")
            time.sleep(seconds)
            connection.execute("ROLLBACK")
        finally:
            connection.close()


class PostgresServer(DisturbedDatabase):
    """PostgreSQL server in a temporary folder, on loopback."""

    name = "PostgreSQL"

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="yolofront-chaos-"))
        # PostgreSQL refuses to run as root.
        self._account = pwd.getpwnam(ordinary_user()) if os.geteuid() == 0 else None
        if self._account is not None:
            os.chown(self._folder, self._account.pw_uid, self._account.pw_gid)
        port = free_port()
        self._options = f"-p {port} -k {self._folder} -c listen_addresses=127.0.0.1"
        self.url = f"postgresql+psycopg://chaos@127.0.0.1:{port}/chaos"
        self._call("initdb", "-D", str(self._data), "-U", "chaos", "-A", "trust", "-E", "UTF8", "--locale=C")
        self._start()
        self._call("createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "chaos", "chaos")

    def go_away(self, seconds: float, *, hard: bool) -> None:
        """Stop the server, and start it again after that time."""
        self._control("stop", "-m", "immediate" if hard else "fast")
        time.sleep(seconds)
        self._start()

    def close(self) -> None:
        """Stop the server and remove its folder."""
        self._control("stop", "-m", "immediate")
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _start(self) -> None:
        self._control("start", "-l", str(self._folder / "log"), "-o", self._options)

    def _control(self, *arguments: str) -> None:
        self._call("pg_ctl", "-D", str(self._data), "-w", *arguments)

    def _call(self, program: str, *arguments: str) -> None:
        account = self._account
        subprocess.run(
            [_program(program), *arguments],
            check=True,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,  # the server inherits these
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=None if account is None else account.pw_uid,
            group=None if account is None else account.pw_gid,
            extra_groups=None if account is None else [],
        )


def postgres_is_installed() -> bool:
    """Return whether the programs of PostgreSQL are here."""
    return bool(_found("initdb"))


def _program(name: str) -> str:
    found = _found(name)
    if found is None:
        raise FileNotFoundError(f"{name} is not installed (Debian: apt-get install postgresql)")
    return found


def _found(name: str) -> str | None:
    versions = sorted(SERVER_FOLDERS.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    return str(versions[-1]) if versions else shutil.which(name)


def ordinary_user() -> str:
    """Return the name of a user that a server can run as where this process is root's."""
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def free_port() -> int:
    """Return the number of a port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
