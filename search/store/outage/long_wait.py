"""A named lock that somebody else holds: each look is a step of this process, and after ten minutes it says so once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from spaces.steps import note_step

SAY_AFTER_S = 600.0
"""Seconds of waiting after which the user is told."""


class LongWait:
    """Wait for a lock, as the user is told of it.

    Args:
        what: Name of the lock: `prepare 3`.
        who: Name of the holder.
        monotonic: Returns seconds that never go back.
    """

    def __init__(self, what: str, who: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._what, self._who, self._monotonic = what, who, monotonic
        self._begun, self._is_told = monotonic(), False

    def look(self) -> None:
        """Note that the lock is not free yet. The holder may train for hours, so that this is no hang."""
        note_step()
        waited_s = self._monotonic() - self._begun
        if waited_s >= SAY_AFTER_S and not self._is_told:
            self._is_told = True
            logging.getLogger(__name__).warning(
                "waiting for '%s' for %.0f min: another worker does it, or was stopped (Ctrl-Z) while it did; %s",
                self._what, waited_s / 60, self._who,
            )  # fmt: skip
