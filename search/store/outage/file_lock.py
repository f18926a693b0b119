"""A named lock beside an SQLite file."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from search.store.base import StoreUnavailable
from search.store.outage.long_wait import LongWait
from search.store.outage.server_lock import number_of

LOOK_AGAIN_S = 1.0
"""Seconds between two looks whether the lock is free."""


def file_lock(file: Path, name: str, *, waits: bool = True) -> AbstractContextManager[bool]:
    """Return a named lock among all processes that use an SQLite file; a process that dies frees it.

    Args:
        waits: If False, entering returns False at once if another process holds the lock.
    """
    folder = file.with_name(f"{file.name}.locks")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(f"{folder} cannot be made ({error.strerror}); make its folder writable") from error
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:60]
    return _held(FileLock(folder / f"{readable}-{number_of(name) & 0xFFFFFF:06x}.lock"), name, waits=waits)


@contextmanager
def thread_lock(lock: threading.Lock, *, waits: bool) -> Iterator[bool]:
    """Hold a lock among the threads of this process, as `file_lock` does."""
    is_held = lock.acquire(blocking=waits)
    try:
        yield is_held
    finally:
        if is_held:
            lock.release()


@contextmanager
def _held(lock: FileLock, name: str, *, waits: bool) -> Iterator[bool]:
    """Hold a lock of a file."""
    wait = LongWait(name, f"`fuser -v {lock.lock_file}` names its process")
    while True:
        try:
            lock.acquire(timeout=LOOK_AGAIN_S if waits else 0)
            break
        except Timeout:
            if not waits:
                yield False
                return
            wait.look()
    try:
        yield True
    finally:
        lock.release()
