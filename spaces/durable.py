"""Writes a folder all at once: aside, flushed to the disk, renamed. A kill at any moment leaves all of it or none."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

PARTIAL = ".yolofront-partial"  # nobody else's: what is left of it is deleted
LEFT_AFTER_S = 3600  # no writer takes an hour


def write_folder(folder: Path, files: Mapping[str, bytes]) -> bool:
    """Write a new folder with these files, durably.

    Returns:
        Whether it was written; False if the folder was there already, which is then left as it is.

    Raises:
        OSError: If the disk is full or may not be written. Nothing of it stays.
    """
    if folder.exists():
        return False
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=PARTIAL, dir=folder.parent))
    try:
        _sweep(folder.parent, aside)
        for name, content in files.items():
            _write(aside / name, content)
        _flush(aside)
        aside.chmod(0o755)  # mkdtemp makes it private; who may read the folder beside it may read this one
        try:
            aside.rename(folder)
        except OSError:
            if not folder.exists():  # else another process was faster
                raise
            return False
        _flush(folder.parent)
        return True
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _sweep(parent: Path, own: Path) -> None:
    """Remove what writers that were killed have left, judged by the file system's own clock."""
    now = own.stat().st_mtime
    for left in parent.glob(f".*{PARTIAL}"):
        with contextlib.suppress(FileNotFoundError):  # another writer finishes or sweeps too
            if now - left.stat().st_mtime > LEFT_AFTER_S:
                shutil.rmtree(left, ignore_errors=True)


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
