"""Claim of a file's lock that can be given up while it waits: the kernel's own waiting has no limit of time."""

from __future__ import annotations

import os
import threading
import weakref
from contextlib import suppress
from io import FileIO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_FILES: weakref.WeakSet[FileIO] = weakref.WeakSet()  # all lock files that this process has open


class FileClaim:
    """Claim of the lock of an open file. A thread waits in the kernel, so that the waiters keep their order."""

    def __init__(self, file: FileIO, *, shared: bool) -> None:
        self._file, self._how = file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        self._guard = threading.Lock()
        self._ended = threading.Event()
        self._given_up = False
        self._thread: threading.Thread | None = None
        self._error: OSError | None = None
        _FILES.add(file)

    def try_now(self) -> bool:
        """Lock the file if that is possible without waiting. Return whether it is locked."""
        try:
            fcntl.flock(self._file, self._how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        self._ended.set()
        return True

    def wait(self, seconds: float) -> bool:
        """Wait for the lock. Return whether the file is locked.

        Raises:
            OSError: If the system cannot lock it.
        """
        if self._thread is None and not self._ended.is_set():
            self._thread = threading.Thread(target=self._wait_in_kernel, name="device lock", daemon=True)
            self._thread.start()
        ended = self._ended.wait(seconds)
        if self._error is not None:
            raise self._error
        return ended

    def release(self) -> None:
        """Unlock and close the file, or do that as soon as the lock is given to this process."""
        with self._guard:
            self._given_up = True
            if self._thread is None or self._ended.is_set():
                self._close()

    def _wait_in_kernel(self) -> None:
        try:
            fcntl.flock(self._file, self._how)
        except OSError as error:
            self._error = error
        with self._guard:
            self._ended.set()
            if self._given_up:
                self._close()

    def _close(self) -> None:
        if not self._file.closed:  # a forked child has closed it
            with suppress(OSError):
                fcntl.flock(self._file, fcntl.LOCK_UN)  # closing is not enough while another process is being started
            self._file.close()


def _release_after_fork() -> None:
    """Release the locks in a forked child: else it would keep the locks of a killed parent."""
    for file in list(_FILES):
        file.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_release_after_fork)
