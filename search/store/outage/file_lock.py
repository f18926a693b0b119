"""A named lock beside an SQLite file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from search.store.base import StoreUnavailable
from search.store.outage.long_wait import LongWait
from search.store.outage.server_lock import number_of

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
    return _held(FileLock(folder / f"{readable}-{number_of(name) & 0xFFFFFF:06x}.lock"), name)


@contextmanager
def _held(lock: FileLock, name: str) -> Iterator[None]:
    """Hold a lock of a file."""
    wait = LongWait(name, f"`fuser -v {lock.lock_file}` names its process")
    while True:
        try:
            lock.acquire(timeout=LOOK_AGAIN_S)
            break
        except Timeout:
            wait.look()
    try:
        yield
    finally:
        lock.release()
