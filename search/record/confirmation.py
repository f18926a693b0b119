"""The front's members timed once more, side by side: what that says, and how it settles the front.

Records are never changed. What reads a study for people takes `settled` records, in which the confirmed latencies
stand in place of those of the trials.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from objectives.base import Direction, Measurement
from objectives.device.activity import Circumstances
from search.record.latency_text import LATENCY
from search.record.trial import TrialRecord


@dataclass(frozen=True)
class Finalist:
    """One network of a confirmation.

    Attributes:
        value: Its latency in ms, `low` and `high` the 95 % interval: ratio x the target's frozen reference.
        ties: Names of the finalists from whose latency this one's could not be told.
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
        target_key: Where.
        clock: `wall` if the device was idle, else `cpu` where the target has one thread.
        members: Fastest first.
        circumstances: What else went on, as plain values.
        sequence: 1, 2, ... within the study; 0 before it is stored.
        at: When it was stored, by the database's clock.
    """

    target_key: str
    clock: str
    members: tuple[Finalist, ...]
    circumstances: Mapping[str, Any] | None = None
    sequence: int = 0
    at: datetime | None = None

    @property
    def contended(self) -> bool | None:
        """Whether other work was seen on the device; None where that is unknown."""
        return None if self.circumstances is None else Circumstances.from_plain(self.circumstances).contended

    def named(self, name: str) -> Finalist | None:
        """The finalist of that name, if it took part."""
        return next((member for member in self.members if member.name == name), None)

    def covers(self, names: Sequence[str], target_key: str) -> bool:
        """Whether all of these were timed on that target while nothing else was seen there."""
        timed = all(self.named(name) is not None for name in names)
        return timed and self.target_key == target_key and self.contended is False


@dataclass(frozen=True)
class ConfirmedStudy:
    """A study's records and front as the newest confirmation has them.

    Attributes:
        records: In their order; finalists have their confirmed latency, and limits judged by it.
        front: Names of the members that stay, ascending in the last objective.
        said: What the trials said of the finalists: their own latency, by name.
        dropped: For each member that leaves by whom it is dominated; empty if it misses a limit now.
        ties: For each finalist the names that it ties with.
    """

    records: tuple[TrialRecord, ...]
    front: tuple[str, ...]
    said: Mapping[str, Measurement] = field(default_factory=dict)
    dropped: Mapping[str, str] = field(default_factory=dict)
    ties: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def apply_confirmation(
    records: Sequence[TrialRecord],
    front: Sequence[str],
    objectives: Sequence[tuple[str, Direction]],
    confirmation: Confirmation | None,
) -> ConfirmedStudy:
    """Put confirmed latencies in place, and let those members leave the front that they show to be dominated.

    Two that tie in latency are not told apart by it: neither drops the other for being faster.

    Args:
        front: Names of the members as the trials had it.
        confirmation: The newest; None leaves everything as it is.
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
        said={r.name: m for r in records if confirmation.named(r.name) and (m := r.measurement(LATENCY)) is not None},
        dropped=dropped,
        ties=ties,
    )


def remarks(settled: ConfirmedStudy) -> dict[str, str]:
    """For each finalist what its figures do not say: ties, who dominates it, the latency of the trial itself."""
    found: dict[str, str] = {}
    for name, said in settled.said.items():
        parts = [f"= {', '.join(settled.ties[name])}"] if settled.ties.get(name) else []
        if name in settled.dropped:
            by = settled.dropped[name]
            parts.append(f"off the front, dominated by {by}" if by else "off the front, over a limit")
        found[name] = "; ".join([*parts, f"{said.value:.3g} ms in the study"])
    return found


def summary(confirmation: Confirmation) -> str:
    """When the finalists were confirmed, by which clock, and whether anything disturbed; one line."""
    when = "" if confirmation.at is None else f" on {confirmation.at:%Y-%m-%d %H:%M} UTC"
    clock = "wall time" if confirmation.clock == "wall" else "CPU time"
    ties = sum(bool(member.ties) for member in confirmation.members)
    load = ", while other work was seen" if confirmation.contended else ""
    return f"{len(confirmation.members)} timed side by side in {clock}{when}{load}; {ties} with ties (=)"


def _confirmed(record: TrialRecord, confirmation: Confirmation) -> TrialRecord:
    """The record with its confirmed latency; a limit of the latency is judged by it."""
    finalist, said = confirmation.named(record.name), record.measurement(LATENCY)
    if finalist is None or said is None:
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
    if LATENCY in constraints:  # what was missed or met by the trial's own figure
        constraints[LATENCY] += now.value - said.value
    others = tuple(now if each is said else each for each in record.measurements)
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
