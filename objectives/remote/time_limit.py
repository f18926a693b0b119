"""Ends the program on another machine when an engine hangs: nothing else can interrupt it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from spaces.shown import print_error

LONGEST_S = 600.0
"""Seconds after which one network counts as hanging, where its budget is short."""
TIMES_BUDGET = 10.0
"""Number of times that a network may take longer than its budget."""


def longest_s(budget_s: float) -> float:
    """Return the seconds after which a network with this budget counts as hanging."""
    return max(LONGEST_S, TIMES_BUDGET * budget_s)


@contextmanager
def ended_after(seconds: float, what: str, note: Callable[[], None]) -> Iterator[None]:
    """End this process with exit code 1 if the block lasts longer.

    Args:
        what: What the block does, for the message.
        note: Called before the end.
    """

    def end() -> None:
        try:
            note()
            print_error(f"{what} did not end within {seconds:.0f} s; the same command continues with the next")
        finally:
            os._exit(1)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
