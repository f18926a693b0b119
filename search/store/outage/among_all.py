"""Things that all workers need and one of them makes: the others wait for the thing, not for a lock, one by one."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from search.store.outage.long_wait import LongWait

FIRST_LOOK_AFTER_S, LAST_LOOK_AFTER_S = 0.05, 1.0
"""Shortest and longest time between two looks."""


class Locks(Protocol):
    """Named locks among all processes of a database."""

    def exclusive_if_free(self, name: str) -> AbstractContextManager[bool]:
        """Hold the lock of that name, unless another one holds it now; says whether it is held."""


@contextmanager
def once_among_all(
    locks: Locks, name: str, is_done: Callable[[], bool], go_on: Callable[[], None] = lambda: None
) -> Iterator[bool]:
    """Wait until something is done, or until nobody does it: then hold its lock. Says whether it is held.

    Args:
        name: Name of the lock.
        is_done: Returns whether it is done; it may be asked often.
        go_on: Called before each pause; may raise an error that ends the waiting.
    """
    wait = LongWait(name, "its lock in the database names the worker")
    pause = FIRST_LOOK_AFTER_S
    while not is_done():
        with locks.exclusive_if_free(name) as is_held:
            if is_held:
                yield not is_done()  # the last holder may just have done it
                return
        go_on()
        wait.look()
        time.sleep(pause * random.uniform(0.5, 1.0))
        pause = min(2 * pause, LAST_LOOK_AFTER_S)
    yield False
