"""Ends a command some time after its `--timeout`, whatever it hangs in: a database, a file system, an output."""

from __future__ import annotations

import faulthandler
import os
import select
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from search.cli.command import Exit

HARD_END_S = 55.0
"""Seconds after its timeout at which a command is ended."""
LAST_RESORT_S = 3.0
"""Seconds after that at which it is ended without a message: a hanging library may keep the interpreter's lock."""
LONGEST_S = 10 * 365 * 86400.0
"""Maximum number of seconds that are waited for."""


@contextmanager
def ended_after(timeout_s: float | None) -> Iterator[None]:
    """End this process and those that it has started if the block lasts longer than its timeout and 55 seconds.

    Args:
        timeout_s: Seconds; None for no limit.
    """
    if timeout_s is None:
        yield
        return
    at_s = min(timeout_s, LONGEST_S) + HARD_END_S
    timer = threading.Timer(at_s, _end)
    timer.daemon = True
    timer.start()
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        faulthandler.dump_traceback_later(at_s + LAST_RESORT_S, exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            timer.cancel()


def _end() -> None:
    with suppress(psutil.Error):
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                process.kill()
    line = f"error: the command did not end {HARD_END_S:.0f} s after its --timeout; it hung in {_place()}\n"
    with suppress(OSError):
        if select.select([], [2], [], 1.0)[1]:  # the reader of the output may hang too
            os.write(2, line.encode())
    os._exit(int(Exit.ERROR))


def _place() -> str:
    """Return where the main thread is: `database.py, line 163`."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    last = traceback.extract_stack(frame)[-1]
    return f"{os.path.basename(last.filename)}, line {last.lineno}"
