"""Counts the takes of a trial: how often somebody has worked on it since it last got further.

A take that is ended within its first seconds does not count: a run may be interrupted several times in a row.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from spaces.durable import write_text
from spaces.foreign.plain_json import ForeignError, read_json_file

TAKES_UNTIL_FAILED = 3
"""Number of takes without getting further after which a trial or row fails: it needs more time than it is given."""
COUNTS_AFTER_S = 10.0
"""Seconds that a take works without getting further until it counts."""


@dataclass(frozen=True)
class EarlierTakes:
    """Count of the earlier takes of a trial that got no further.

    Attributes:
        takes: Number of takes since it last got further.
        tries: Its attempt's number of tries when it last got further.
        deaths: Number of deaths of its workers that were known then.
    """

    takes: int = 0
    tries: int = 1
    deaths: int = 0

    @property
    def reason_to_give_up(self) -> str:
        """Reason to store the trial as failed; empty if it is tried again."""
        if self.takes < TAKES_UNTIL_FAILED:
            return ""
        return (
            f"it was taken up {self.takes} times without getting further: its next step (an epoch, a measurement) "
            "takes longer than its workers live; give them more time"
        )


@dataclass
class Takes:
    """The takes of one trial or row, in a file.

    Attributes:
        path: The file; it need not exist.
        tries: The attempt's present number of tries.
        deaths: Number of deaths of its workers that are known now.
        note_fault: Called with the error if the file cannot be written.
    """

    path: Path
    tries: int = 1
    deaths: int = 0
    note_fault: Callable[[Exception], None] = lambda error: None

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._got_further = False
        self._timer: threading.Timer | None = None

    def begin(self) -> None:
        """Begin a take."""
        self._timer = threading.Timer(COUNTS_AFTER_S, self._count)
        self._timer.daemon = True
        self._timer.start()

    def end(self) -> None:
        """End a take, wherever it got to: it is not counted any more."""
        if self._timer is not None:
            self._timer.cancel()
        with self._lock:
            self._got_further = True

    def get_further(self) -> None:
        """Note that the trial got further: earlier takes and deaths do not count any more."""
        with self._lock:
            if not self._got_further:
                self._got_further = self._write(EarlierTakes(0, self.tries, self.deaths))

    def _count(self) -> None:
        with self._lock:
            if not self._got_further:
                earlier = earlier_takes_in(self.path)
                self._write(EarlierTakes(earlier.takes + 1, earlier.tries, earlier.deaths))

    def _write(self, takes: EarlierTakes) -> bool:
        try:
            if takes != earlier_takes_in(self.path):
                write_text(self.path, json.dumps(asdict(takes)))
        except OSError as error:
            self.note_fault(error)
            return False
        return True


def earlier_takes_in(path: Path) -> EarlierTakes:
    """Return what a file of takes says; nothing if it is absent or damaged."""
    try:
        plain = read_json_file(path)
        return EarlierTakes(**{name: int(plain[name]) for name in ("takes", "tries", "deaths")})
    except (OSError, ForeignError, KeyError, TypeError, ValueError):
        return EarlierTakes()
