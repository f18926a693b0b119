"""GPU-hours of a study: whether those that it may use are spent."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from search.store.base import StoreUnavailable
from search.store.runs.register import RunRegister, gpu_hours_of

LOOK_EVERY_S = 15.0
"""Minimum number of seconds between two looks: runs note their time about as often."""


class GpuHours:
    """The GPU-hours that a study may use, counted over all its runs on all machines.

    Args:
        limit: GPU-hours after which no further trial begins.
        say: Receives a line, once, when they are spent.
        monotonic: Returns seconds that never go back.
    """

    def __init__(
        self,
        register: RunRegister,
        study: str,
        generation: int,
        limit: float,
        say: Callable[[str], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._register, self._study, self._generation = register, study, generation
        self._limit, self._say, self._monotonic = limit, say, monotonic
        self._looked: float | None = None
        self._is_spent = False

    def are_spent(self) -> bool:
        """Return whether they are spent; while the database is away, as it was before."""
        now = self._monotonic()
        if not self._is_spent and (self._looked is None or now - self._looked >= LOOK_EVERY_S):
            self._looked = now
            with suppress(StoreUnavailable):
                self._look()
        return self._is_spent

    def _look(self) -> None:
        used = gpu_hours_of(self._register.runs(self._study, self._generation))
        self._is_spent = used >= self._limit
        if self._is_spent:
            self._say(
                f"the GPU-hours are spent: {used:.1f} of {self._limit:g}; no further trial begins. "
                "The same command with a larger --budget-gpu-hours continues"
            )
