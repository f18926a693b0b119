"""Notes beside a device lock that name its holders: the kernel tells who holds a lock on some systems only.

Each thread writes its own file, `cpu.<process>-<random>.holder`: a few microseconds for each claim. Without the notes
(a full disk) the lock works as well, but nobody can say who holds it.
"""

from __future__ import annotations

import atexit
import json
import os
import platform
import secrets
import shlex
import stat
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from objectives.device.lock_files import SAFELY
from spaces.shown import shown

SIZE = 1024
"""Size of a note in bytes; a shorter one is filled with blanks."""
LONGEST_COMMAND = 200
SUFFIX = ".holder"


@dataclass(frozen=True)
class Holder:
    """Holder of a device lock.

    Attributes:
        use: `training` or `measuring`; empty if it holds nothing now.
        host: Host and process namespace; process numbers are compared only within one.
        since: Time of its claim, in seconds since 1970.
        generation: Of the lock that it holds.
        beats: Number of its signs of life.
        name: Name of its note.
    """

    use: str
    pid: int
    host: str
    command: str
    since: float
    generation: int
    beats: int
    name: str

    def __str__(self) -> str:
        """Return it as shown: `process 12 on gpu-box (python -m search.run), measuring since 12:03:04`."""
        at = datetime.fromtimestamp(self.since).strftime("%H:%M:%S")
        host = self.host.partition("|")[0]
        return shown(f"process {self.pid} on {host} ({self.command}), {self.use} since {at}")


def notes(folder: Path, device: str) -> list[Holder]:
    """Return all notes on a device, also of those who hold nothing now; without those that are known to be dead."""
    found = [read_note(path) for path in folder.glob(f"{device}.*{SUFFIX}")]
    alive = [holder for holder in found if holder is not None and not _is_dead(holder)]
    return sorted(alive, key=lambda holder: holder.since)


class HolderNote:
    """Note of one thread on one device."""

    def __init__(self, folder: Path, device: str) -> None:
        self._pid = os.getpid()
        command = shlex.join([Path(sys.executable).name, *sys.orig_argv[1:]])[:LONGEST_COMMAND]
        self._path = folder / f"{device}.{self._pid}-{secrets.token_hex(4)}{SUFFIX}"
        self._begin = json.dumps({"pid": self._pid, "host": _host(), "command": command})[:-1]
        self._claim = ("", 0.0, 0)
        self._beats = 0
        self._file: int | None = None
        with suppress(OSError):
            _remove_dead(folder, device)
            self._file = os.open(self._path, os.O_WRONLY | SAFELY | os.O_CREAT | os.O_EXCL, 0o644)
            os.fchmod(self._file, 0o644)
            atexit.register(self.remove)

    @property
    def name(self) -> str:
        """Name of the file."""
        return self._path.name

    def hold(self, use: str, generation: int) -> None:
        """Note that the lock is held from now on."""
        self._claim = (use, time.time(), generation)
        self.renew()

    def clear(self) -> None:
        """Note that nothing is held any more."""
        self._claim = ("", 0.0, 0)
        self.renew()

    def renew(self) -> None:
        """Note a sign of life."""
        if self._file is None or self._pid != os.getpid():  # a forked child holds nothing
            return
        self._beats += 1
        use, since, generation = self._claim
        changing = f', "use": "{use}", "since": {since}, "generation": {generation}, "beats": {self._beats}}}'
        with suppress(OSError):
            os.pwrite(self._file, (self._begin + changing).encode().ljust(SIZE), 0)

    def remove(self) -> None:
        """Remove the file."""
        if self._file is not None and self._pid == os.getpid():
            with suppress(OSError):
                os.close(self._file)
                self._path.unlink()
            self._file = None


def read_note(path: Path) -> Holder | None:
    """Return a note; None if it cannot be read, is just being written, or is no note."""
    try:
        file = os.open(path, os.O_RDONLY | SAFELY)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return None
        plain = json.loads(os.read(file, SIZE))
        if not (0 < int(plain["pid"]) < 2**31 and 0 <= float(plain["since"]) < 2**33):
            return None  # from another program: no process, no time
        return Holder(
            str(plain["use"]),
            int(plain["pid"]),
            str(plain["host"]),
            str(plain["command"]),
            float(plain["since"]),
            int(plain["generation"]),
            int(plain["beats"]),
            path.name,
        )
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    finally:
        os.close(file)


def _is_dead(holder: Holder) -> bool:
    if holder.host != _host():
        return False
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):  # of another user; or no process number
        pass
    return False


def _remove_dead(folder: Path, device: str) -> None:
    """Remove the notes of processes that were killed."""
    for path in folder.glob(f"{device}.*{SUFFIX}"):
        holder = read_note(path)
        if holder is not None and _is_dead(holder):
            with suppress(OSError):  # of another user
                path.unlink()


def _host() -> str:
    namespace = Path("/proc/self/ns/pid")
    return f"{platform.node()}|{os.readlink(namespace)}" if namespace.exists() else platform.node()
