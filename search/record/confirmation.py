"""Networks of a study that were re-measured side by side. `search.record.confirmed_study` tells what follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from objectives.device.activity import DeviceActivity


@dataclass(frozen=True)
class Finalist:
    """One network of a confirmation.

    Attributes:
        value: Its latency in ms, `low` and `high` the 95 % interval: ratio x the target's frozen reference.
        ties: Names of the finalists whose latency cannot be told apart from this one's.
        samples: One value a round, in ms.
    """

    name: str
    value: float
    low: float
    high: float
    ratio: float
    runs: int
    ties: tuple[str, ...] = ()
    samples: tuple[float, ...] = ()


@dataclass(frozen=True)
class Confirmation:
    """Finalists of a study, timed in turn with each other.

    Attributes:
        target_key: Key of the target.
        clock: `wall` if the device was idle, else `cpu` if the target has one thread.
        members: The finalists, fastest first.
        circumstances: Other work on the device, as plain values.
        sequence: 1, 2, ... within the study; 0 before it is stored.
        at: Time of storing, by the database's clock.
    """

    target_key: str
    clock: str
    members: tuple[Finalist, ...]
    circumstances: Mapping[str, Any] | None = None
    sequence: int = 0
    at: datetime | None = None

    @property
    def contended(self) -> bool | None:
        """True if other work was seen on the device; None if that is unknown."""
        return None if self.circumstances is None else DeviceActivity.from_plain(self.circumstances).contended

    def named(self, name: str) -> Finalist | None:
        """Return the finalist with that name; None if it took no part."""
        return next((member for member in self.members if member.name == name), None)

    def covers(self, names: Sequence[str], target_key: str) -> bool:
        """Return whether all of these were timed, uncontended, on that target."""
        timed = all(self.named(name) is not None for name in names)
        return timed and self.target_key == target_key and self.contended is False


def confirmation_summary(confirmation: Confirmation) -> str:
    """Return the number of networks, the clock, the time and the ties of a confirmation in one line."""
    when = "" if confirmation.at is None else f" on {confirmation.at:%Y-%m-%d %H:%M} UTC"
    clock = "wall time" if confirmation.clock == "wall" else "CPU time"
    ties = sum(bool(member.ties) for member in confirmation.members)
    load = ", while other work was seen" if confirmation.contended else ""
    return f"{len(confirmation.members)} networks re-measured side by side in {clock}{when}{load}; {ties} with ties (=)"
