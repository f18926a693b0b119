"""Writes a file or a folder under a temporary name, flushes it to the disk and renames it. A kill leaves all or none.

Standard library only: the program for other machines (`objectives.remote`) contains this file.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import tempfile
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

PARTIAL = ".yolofront-partial"
"""Suffix of unfinished files and folders. No other program uses it, so old ones are deleted."""

STALE_S = 3600
"""Age at which an unfinished folder is deleted: its writer was killed, for no writer takes an hour."""

REMEDIES = {
    errno.ENOSPC: "the disk is full; free some space, then run the same command again; nothing is lost",
    errno.EDQUOT: "your disk quota is used up; free some space, then run the same command again; nothing is lost",
    errno.EFBIG: "the file would be larger than this system allows (ulimit -f); nothing is lost",
    errno.EROFS: "the disk is read-only; make it writable or give another folder",
    errno.EACCES: "no permission; make file and folder accessible or give another folder",
    errno.EEXIST: "a file lies where a folder is needed; give another path",
    errno.ENOTDIR: "a file lies where a folder is needed; give another path",
    errno.EISDIR: "a folder lies where a file is needed; give another path",
    errno.ENAMETOOLONG: "the name is too long; give a shorter one",
    errno.ELOOP: "its links lead in a circle; mend them or give another path",
}
"""Fault and remedy in words for each error number of reading or writing a file."""


def file_fault(error: OSError) -> str:
    """Return what is wrong with a file, and what mends it, as one line that begins with its path."""
    if error.errno not in REMEDIES:
        return str(error)
    place = "" if error.filename is None else f"{error.filename}: "
    return f"{place}{REMEDIES[error.errno]}"


def is_full(error: BaseException) -> bool:
    """Return whether an error says that the disk is full or the quota used up."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def require_space(folder: Path, size: int) -> None:
    """Make sure that a library can write so many bytes; some end the whole process where a disk is full.

    Raises:
        OSError: If the disk, the quota or a limit of this system leaves less.
    """
    if not hasattr(os, "posix_fallocate"):  # not on every system
        return
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):  # else the file system cannot tell
                raise OSError(error.errno, os.strerror(error.errno), str(folder)) from None


def write_bytes(path: Path, content: bytes) -> Path:
    """Write a file; its folder is made if it is absent.

    Raises:
        OSError: If the folder cannot be written or the disk is full; an older file at `path` stays as it is.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(_name_aside())
    try:
        _write(aside, content)
        aside.replace(path)
    except OSError as error:
        error.filename = str(path)  # the temporary name means nothing to a user
        raise
    finally:
        aside.unlink(missing_ok=True)
    return path


def write_text(path: Path, text: str) -> Path:
    """Write text as UTF-8, as `write_bytes` does; file names in the text that are not UTF-8 keep their bytes."""
    return write_bytes(path, _encode(text))


def update_text(path: Path, text: str) -> Path:
    """Write text as `write_text` does, unless the file holds exactly this text: then its times do not change."""
    with contextlib.suppress(FileNotFoundError):
        if path.read_bytes() == _encode(text):
            return path
    return write_text(path, text)


def write_folder(folder: Path, files: Mapping[str, bytes]) -> bool:
    """Write a new folder with these files, as `make_folder` does."""

    def fill(aside: Path) -> None:
        for name, content in files.items():
            _write(aside / name, content)

    return make_folder(folder, fill)


def make_folder(folder: Path, fill: Callable[[Path], object]) -> bool:
    """Let `fill` write into a temporary folder, then rename it to `folder`.

    An empty folder that is there is filled, and keeps its mode. A link is followed.

    Returns:
        Whether it was written; False if something was there already, which is then left as it is.

    Raises:
        OSError: If the disk is full or may not be written. No part of the folder is left.
    """
    folder = Path(os.path.realpath(folder)) if folder.is_symlink() else folder
    mode = _mode_of_new(folder)
    if mode is None:
        return False
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=PARTIAL, dir=folder.parent))
    try:
        _delete_stale(folder.parent, aside)
        fill(aside)
        _flush(aside)
        aside.chmod(mode)
        try:
            aside.rename(folder)  # replaces an empty folder, and no other
        except OSError:
            if _mode_of_new(folder) is not None:  # else another process was faster
                raise
            return False
        _flush(folder.parent)
        return True
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _mode_of_new(folder: Path) -> int | None:
    """Return the mode of the folder to be made: that of the empty one in its place; None if something else is there."""
    if not folder.exists():
        return 0o755  # other folders can be read by all users, too; a temporary one is private
    empty = folder.is_dir() and not any(folder.iterdir())
    return stat.S_IMODE(folder.stat().st_mode) if empty else None


def delete_folder(folder: Path) -> None:
    """Delete a folder if it is there; a partly deleted one is never visible under its name."""
    aside = folder.with_name(_name_aside())
    with contextlib.suppress(FileNotFoundError):  # not there, or another process was faster
        folder.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def _name_aside() -> str:
    return f".{uuid.uuid4().hex}{PARTIAL}"


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _delete_stale(parent: Path, own: Path) -> None:
    """Delete the unfinished files and folders of killed writers; ages are by the file system's own clock."""
    now = own.stat().st_mtime
    for left in parent.glob(f".*{PARTIAL}"):
        with contextlib.suppress(FileNotFoundError):  # another writer finishes or deletes too
            if now - left.stat().st_mtime > STALE_S:
                left.unlink() if left.is_file() else shutil.rmtree(left, ignore_errors=True)


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush(folder: Path) -> None:
    """Make the folder's entries durable; not every file system lets a folder be flushed."""
    with contextlib.suppress(PermissionError, NotImplementedError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
