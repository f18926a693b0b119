"""Files are written aside and renamed, so that a reader, or the next start after a crash, never sees half of one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def write_beside(path: Path, write: Callable[[Path], object]) -> Path:
    """Let `write` fill a file beside `path`, then rename it to `path`; the folder is made where it is absent.

    Raises:
        OSError: If the folder cannot be written or the disk is full; what stood at `path` before still stands.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        write(partial)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def write_text(path: Path, text: str) -> Path:
    """Write text as UTF-8 by `write_beside`."""
    return write_beside(path, lambda partial: partial.write_text(text, encoding="utf-8"))
