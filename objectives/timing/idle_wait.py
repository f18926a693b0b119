"""Waits of measurements for an idle machine, and the limit that a user sets for a machine that is never idle."""

from __future__ import annotations

import os

from objectives.device.target import TargetError

IDLE_WAIT = "YOLOFRONT_IDLE_WAIT"
"""Environment variable with the maximum number of seconds of such a wait; 0 waits for nothing."""


def wait_at_most(usual_s: float) -> float:
    """Return the seconds that a measurement waits for an idle machine: the usual ones, or the user's limit if less.

    Raises:
        TargetError: If the environment variable is not a number of seconds.
    """
    given = os.environ.get(IDLE_WAIT)
    if not given:
        return usual_s
    try:
        limit_s = float(given)
    except ValueError:
        limit_s = -1.0
    if not limit_s >= 0:
        raise TargetError(f"{IDLE_WAIT} is {given!r}; it has to be a number of seconds, 0 or more")
    return min(usual_s, limit_s)
