"""The front's members timed again, side by side, and the front that follows from these latencies.

Stored records are never changed. Tables, reports and exports use the records of a `ConfirmedStudy`, in which the
confirmed latencies replace those of the trials.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from objectives.base import Direction, Measurement
from objectives.device.activity import DeviceActivity
from search.record.latency_text import LATENCY
from search.record.trial import TrialRecord


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


@dataclass(frozen=True)
class ConfirmedStudy:
    """A study's records and front with the latencies of the newest confirmation.

    Attributes:
        records: In their stored order; finalists have their confirmed latency and its excess over limits.
        front: Names of the members that stay, ascending in the last objective.
        trial_latencies: For each finalist the latency that was measured in its trial.
        dropped: For each member that leaves the front the name of a record that dominates it; empty if the member
            exceeds a limit.
        ties: For each finalist the names of those that it ties with.
    """

    records: tuple[TrialRecord, ...]
    front: tuple[str, ...]
    trial_latencies: Mapping[str, Measurement] = field(default_factory=dict)
    dropped: Mapping[str, str] = field(default_factory=dict)
    ties: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def apply_confirmation(
    records: Sequence[TrialRecord],
    front: Sequence[str],
    objectives: Sequence[tuple[str, Direction]],
    confirmation: Confirmation | None,
) -> ConfirmedStudy:
    """Replace latencies by confirmed ones, and drop the members of the front that are then dominated.

    A member does not dominate another by latency if the two tie.

    Args:
        front: Names of the members before confirmation.
        confirmation: The newest one; None changes nothing.
    """
    if confirmation is None:
        return ConfirmedStudy(tuple(records), tuple(front))
    confirmed = tuple(_confirmed(record, confirmation) for record in records)
    ties = {member.name: member.ties for member in confirmation.members}
    members = [record for record in confirmed if record.name in set(front)]
    feasible = [record for record in members if record.feasible]
    dropped = {record.name: "" for record in members if not record.feasible}
    for record in feasible:
        by = next((r for r in feasible if _dominates(r, record, objectives, ties.get(record.name, ()))), None)
        if by is not None:
            dropped[record.name] = by.name
    last = objectives[-1][0]
    stays = sorted((r for r in members if r.name not in dropped), key=lambda record: record.value(last) or 0.0)
    return ConfirmedStudy(
        records=confirmed,
        front=tuple(record.name for record in stays),
        trial_latencies=dict(_trial_latencies(records, confirmation)),
        dropped=dropped,
        ties=ties,
    )


def _trial_latencies(records: Sequence[TrialRecord], confirmation: Confirmation) -> Iterator[tuple[str, Measurement]]:
    for record in records:
        latency = record.measurement(LATENCY)
        if latency is not None and confirmation.named(record.name) is not None:
            yield record.name, latency


def confirmation_remarks(confirmed: ConfirmedStudy) -> dict[str, str]:
    """Return a remark for each finalist: its ties, the record that dominates it, the latency in its trial."""
    found: dict[str, str] = {}
    for name, latency in confirmed.trial_latencies.items():
        parts = [f"= {', '.join(confirmed.ties[name])}"] if confirmed.ties.get(name) else []
        if name in confirmed.dropped:
            by = confirmed.dropped[name]
            parts.append(f"off the front, dominated by {by}" if by else "off the front, over a limit")
        found[name] = "; ".join([*parts, f"{latency.value:.3g} ms in the study"])
    return found


def confirmation_summary(confirmation: Confirmation) -> str:
    """Return the number of finalists, the clock, the time and the ties of a confirmation in one line."""
    when = "" if confirmation.at is None else f" on {confirmation.at:%Y-%m-%d %H:%M} UTC"
    clock = "wall time" if confirmation.clock == "wall" else "CPU time"
    ties = sum(bool(member.ties) for member in confirmation.members)
    load = ", while other work was seen" if confirmation.contended else ""
    return f"{len(confirmation.members)} timed side by side in {clock}{when}{load}; {ties} with ties (=)"


def _confirmed(record: TrialRecord, confirmation: Confirmation) -> TrialRecord:
    """Return the record with its confirmed latency, and the excess of that over its limit."""
    finalist, before = confirmation.named(record.name), record.measurement(LATENCY)
    if finalist is None or before is None:
        return record
    now = Measurement(
        LATENCY,
        finalist.value,
        unit="ms",
        low=finalist.low,
        high=finalist.high,
        runs=finalist.runs,
        ratio=finalist.ratio,
        target=confirmation.target_key,
        contended=confirmation.contended,
    )
    constraints = dict(record.constraints)
    if LATENCY in constraints:  # the excess of the trial's own latency
        constraints[LATENCY] += now.value - before.value
    others = tuple(now if each is before else each for each in record.measurements)
    return replace(record, measurements=others, constraints=constraints)


def _dominates(
    one: TrialRecord, other: TrialRecord, objectives: Sequence[tuple[str, Direction]], ties: Sequence[str]
) -> bool:
    better = False
    for name, direction in objectives:
        if name == LATENCY and one.name in ties:
            continue
        ours, theirs = one.value(name), other.value(name)
        if ours is None or theirs is None:
            return False
        ahead = ours - theirs if direction is Direction.MAXIMIZE else theirs - ours
        if ahead < 0:
            return False
        better = better or ahead > 0
    return better and not (one.name in ties and LATENCY in dict(objectives))
