"""Steps of this process's work: whoever watches the process sees from them whether its work goes on.

A step is the end of something short: a batch, a measurement, a file that was checked, one more look while waiting. A
process that lives but makes no steps hangs. A thread that only shows that the process lives must not make steps.
"""

from __future__ import annotations

import threading
from collections.abc import MutableSequence

_silent = threading.local()
_counts: list[MutableSequence[float]] = [[0.0]]  # one entry: the place of the count


def note_step() -> None:
    """Count one step; it costs less than a microsecond, so call it in each loop that may last for minutes."""
    if not getattr(_silent, "thread", False):
        _counts[0][0] += 1.0


def silence_this_thread() -> None:
    """Count no steps of this thread from now on: it goes on while the work hangs."""
    _silent.thread = True


def steps_made() -> float:
    """Return the number of steps of this process."""
    return _counts[0][0]


def share_steps(place: MutableSequence[float]) -> None:
    """Keep the count in this place from now on, for example in memory that another process reads."""
    place[0] = steps_made()
    _counts[0] = place
