"""A named lock beside an SQLite file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from search.store.base import StoreUnavailable
from search.store.outage.server_lock import number_of
from spaces.steps import note_step

LOOK_AGAIN_S = 1.0
"""Seconds between two looks whether the lock is free."""


def file_lock(file: Path, name: str) -> AbstractContextManager[None]:
    """Return a named lock among all processes that use an SQLite file; a process that dies frees it."""
    folder = file.with_name(f"{file.name}.locks")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(f"{folder} cannot be made ({error.strerror}); make its folder writable") from error
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:60]
    return _held(FileLock(folder / f"{readable}-{number_of(name) & 0xFFFFFF:06x}.lock"))


@contextmanager
def _held(lock: FileLock) -> Iterator[None]:
    """Hold a lock of a file; each second of waiting is a step, because the holder may train for hours."""
    while True:
        try:
            lock.acquire(timeout=LOOK_AGAIN_S)
            break
        except Timeout:
            note_step()
    try:
        yield
    finally:
        lock.release()
