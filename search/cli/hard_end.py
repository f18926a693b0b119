"""Ends a command that hangs, in whatever: after its `--timeout`, or when it makes no progress."""

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
from spaces.step_watch import StepWatch
from spaces.steps import silence_this_thread, steps_made

HARD_END_S = 55.0
"""Seconds after its timeout at which a command is ended."""
LAST_RESORT_S = 3.0
"""Seconds after that at which it is ended without a message: a hanging library may keep the interpreter's lock."""
WATCH_LOOK_S = 1.0
"""Seconds between two looks at a command's steps."""
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
    timer = threading.Timer(at_s, _end, [f"the command did not end {HARD_END_S:.0f} s after its --timeout"])
    timer.daemon = True
    timer.start()
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        faulthandler.dump_traceback_later(at_s + LAST_RESORT_S, exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            timer.cancel()


@contextmanager
def ended_when_hung(hung_after_s: float | None = None) -> Iterator[None]:
    """End this process and those that it has started if the block makes no steps for too long.

    Args:
        hung_after_s: Seconds without a step; None for ten times the slowest step, at least ten minutes.
    """
    watch, is_over = StepWatch(steps_made, hung_after_s), threading.Event()

    def look() -> None:
        silence_this_thread()
        while not is_over.wait(WATCH_LOOK_S):
            if watch.hangs():
                _end(f"the command made no progress for {watch.idle_s:.0f} s")

    threading.Thread(target=look, name="watch", daemon=True).start()
    try:
        yield
    finally:
        is_over.set()


def _end(what: str) -> None:
    with suppress(psutil.Error):
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                process.kill()
    line = f"error: {what}; it hung in {_place()}\n"
    with suppress(OSError):
        if select.select([], [2], [], 1.0)[1]:  # the reader of the output may hang too
            os.write(2, line.encode())
    os._exit(int(Exit.ERROR))


def _place() -> str:
    """Return where the main thread is: `database.py, line 163`."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    last = traceback.extract_stack(frame)[-1]
    return f"{os.path.basename(last.filename)}, line {last.lineno}"
