"""Files of the device locks: their folder, how they are opened, and who removed or replaced them."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

from objectives.device.target import TargetError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

FOLDER = "YOLOFRONT_LOCKS"
"""Environment variable with the folder of the locks; it must be the same for all processes."""

TEMPORARY = Path("/tmp")  # not from `tempfile`: jobs with different TMPDIRs would not share their locks
PATIENCE_S = 1.0  # a new folder or file is unreadable to other users until its maker has set its mode
SAFELY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
"""Flags of `os.open` for a folder where others may write: a link would lead elsewhere, a pipe would block us."""


def locks_folder() -> Path:
    """Return the folder of the locks: `/tmp/yolofront-locks`, or that of the environment variable.

    Raises:
        TargetError: If the folder cannot be made, or the default folder is a link.
    """
    if fcntl is None:
        raise TargetError("device lock: this system has no flock; Linux and macOS have")
    named = os.environ.get(FOLDER)
    folder = Path(named) if named else TEMPORARY / "yolofront-locks"
    with with_advice(folder):
        try:
            folder.mkdir(mode=0o1777, parents=bool(named))
            folder.chmod(0o1777)  # every user may create locks, independent of the umask, and remove only their own
        except FileExistsError:
            if not folder.is_dir() or (folder.is_symlink() and not named):
                raise OSError("it is not a folder; remove it") from None
    return folder


def open_lock_file(path: Path) -> FileIO:
    """Open the file for reading, and create it if it is missing. It is empty: the right to read it is enough.

    Raises:
        OSError: If it is not a plain file, or cannot be read or created.
    """
    give_up = time.monotonic() + PATIENCE_S
    while True:
        try:
            file = FileIO(str(path), opener=lambda name, _: os.open(name, os.O_RDONLY | SAFELY))
        except FileNotFoundError:
            with suppress(FileExistsError):
                _make_file(path)
        except PermissionError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.01)  # another user is creating it
        else:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return file
            file.close()
            raise OSError("it is not a plain file; remove it")


def _make_file(path: Path) -> None:
    file = os.open(path, os.O_RDONLY | SAFELY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        os.fchmod(file, 0o666)  # independent of the umask
    finally:
        os.close(file)


def is_at(file: FileIO, path: Path) -> bool:
    """Return whether an open file is still the one at this path: a cleaner of the folder may have removed it."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path, follow_symlinks=False))
    return False


@contextmanager
def with_advice(path: Path) -> Iterator[None]:
    """Turn an error of a file into one that says what to do."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        advice = f"set {FOLDER} to a folder that all processes of this machine can write"
        raise TargetError(f"device lock: cannot use '{path}' ({reason}); {advice}") from error


class Generation:
    """Number in the names of a device's lock files.

    The kernel takes a lock from nobody who lives. To pass over a holder that hangs, the number is raised: all processes
    then lock other files.
    """

    def __init__(self, folder: Path, device: str) -> None:
        self._folder, self._device = folder, device
        self._path = folder / f"{device}.generation"

    def now(self) -> int:
        """Return the present number; 0 until it is raised for the first time."""
        try:
            file = os.open(self._path, os.O_RDONLY | SAFELY)
        except OSError:
            return 0
        try:
            text = os.read(file, 16).decode("ascii", "replace").strip()
        finally:
            os.close(file)
        return int(text) if text.isdecimal() else 0

    def raise_from(self, number: int) -> None:
        """Raise the number by one, unless another process has done so."""
        with with_advice(self._path):
            open_lock_file(self._path).close()  # made for all users, if it is missing
            file = os.open(self._path, os.O_WRONLY | SAFELY)
            try:
                if self.now() == number:
                    os.pwrite(file, f"{number + 1:<15}\n".encode(), 0)
            finally:
                os.close(file)

    def path(self, part: str, number: int) -> Path:
        """Return the file of one part of the lock: `cpu.room`, and `cpu.1.room` after the number was raised."""
        return self._folder / (f"{self._device}.{number}.{part}" if number else f"{self._device}.{part}")
