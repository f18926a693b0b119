"""`search.run` as on a machine of its own: with another host name, so that its processes cannot be seen from here.

Times are shorter than usual, so that minutes show what otherwise takes an hour. The processes that it starts import
this file as well.
"""

from __future__ import annotations

import os
import runpy

from benchmarks.disturbing import worker_faults
from search.work import liveness

HOST = "YOLOFRONT_CHAOS_HOST"
"""Environment variable: name of the machine that this process pretends to be on."""
HEARTBEAT_S, STALE_AFTER_S = 2.0, 20.0
"""Seconds between two heartbeats, and without one until a worker elsewhere counts as dead."""

if HOST in os.environ:  # not where the constants alone are wanted
    liveness.HEARTBEAT_S, liveness.STALE_AFTER_S = HEARTBEAT_S, STALE_AFTER_S
    liveness._host = lambda: os.environ[HOST]
worker_faults.install()

if __name__ == "__main__":
    runpy.run_module("search.run", run_name="__main__")
