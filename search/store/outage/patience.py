"""Patience with a database that is away: calls are made again until it answers, and the user is told once.

Every transaction of ours and every call of Optuna's storage goes through `Patience.call`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar, final

from search.record.events import DatabaseBack, DatabaseLost, Event, Say
from search.store.faults import is_starting, may_pass, reason_of
from spaces.shown import print_aside
from spaces.steps import note_step

PATIENCE_S = 15 * 60.0
"""Default of the seconds that a database is waited for."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 3.0
"""Shortest and longest time between two tries."""

Result = TypeVar("Result")


def print_outage(event: Event) -> None:
    """Print the loss and the return of the database on standard error."""
    if isinstance(event, DatabaseLost | DatabaseBack):
        print_aside(event.line)


@final
class Patience:
    """Waits for a database that is away, and makes failed calls again. All threads of a process share it.

    Args:
        seconds: Seconds that one call waits at most; 0 makes every call fail at once.
        say: Receives the events `DatabaseLost` and `DatabaseBack`, from any thread.
        has_answered: Whether the database is known to be there. Until it has answered once, only a server that says
            that it starts or stops is waited for: the URL may be wrong.
        monotonic: Returns seconds that never go back.
        sleep: Waits for a number of seconds.
    """

    def __init__(
        self,
        seconds: float = PATIENCE_S,
        say: Say = print_outage,
        *,
        has_answered: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._seconds, self._say, self._has_answered = seconds, say, has_answered
        self._monotonic, self._sleep = monotonic, sleep
        self._lock = threading.Lock()
        self._lost_at: float | None = None
        self._back_at: float | None = None
        self._here = threading.local()

    @property
    def seconds(self) -> float:
        """Seconds that a call of this thread waits at most now."""
        limit: float | None = getattr(self._here, "limit", None)
        return self._seconds if limit is None else min(limit, self._seconds)

    @property
    def seconds_since_return(self) -> float | None:
        """Seconds since the database came back; 0 while it is away, None if it never was."""
        if self._lost_at is not None:
            return 0.0
        return None if self._back_at is None else self._monotonic() - self._back_at

    @contextmanager
    def at_most(self, seconds: float) -> Iterator[None]:
        """Let the calls of this thread wait no longer than that within the block."""
        before = getattr(self._here, "limit", None)
        self._here.limit = seconds
        try:
            yield
        finally:
            self._here.limit = before

    def call(self, work: Callable[[], Result], shown_url: str) -> Result:
        """Return what `work` returns; call it again after each error that may pass, until the time is up.

        Args:
            work: A whole transaction, or another call that may be made again from its start.
            shown_url: The database's URL without its password.
        """
        began = self._monotonic()
        pause = FIRST_PAUSE_S
        is_first = True
        while True:
            try:
                result = work()
            except Exception as error:
                if not (may_pass(error) if self._has_answered else is_starting(error)):
                    raise
                is_over = self._monotonic() - began >= self.seconds
                if is_over or not is_first:  # a connection that was cut off is replaced at once, without a word
                    self._note_loss(error, shown_url)
                if is_over:
                    raise
            else:
                self._note_answer(shown_url)
                return result
            is_first = False
            note_waiting()
            self._sleep(min(pause, max(0.0, began + self.seconds - self._monotonic())))
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _note_loss(self, error: Exception, shown_url: str) -> None:
        with self._lock:
            if self._lost_at is not None:
                return
            self._lost_at = self._monotonic()
        self._say(DatabaseLost(f"{shown_url}: {reason_of(error)}; {_waits_for(self._seconds)}"))

    def _note_answer(self, shown_url: str) -> None:
        self._has_answered = True
        if self._lost_at is None:
            return
        with self._lock:
            lost_at, self._lost_at = self._lost_at, None
            self._back_at = self._monotonic()
        if lost_at is not None:
            self._say(DatabaseBack(f"{shown_url} answers again, after {self._back_at - lost_at:.0f} s"))


def _waits_for(seconds: float) -> str:
    if not seconds:
        return "nothing waits for it"
    span = f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
    return f"waiting up to {span} for it, trainings go on"


def note_waiting() -> None:
    """Count a step where the main thread waits for a database; the heartbeat's waiting is no progress."""
    if threading.current_thread() is threading.main_thread():
        note_step()
