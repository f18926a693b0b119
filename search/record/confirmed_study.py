"""A study's records with one latency for each shape, and the front that follows from it.

Latencies of trials are measured hours apart, beside other work. At the end of a study its best networks are timed in
turn with each other and with the parent. Two networks of one shape then share that latency. All others keep the
latency of the study, multiplied by the factor by which the re-measured networks changed, with an interval that is wider
by the spread of these changes. So all rows of a table can be compared, and a speed-up is a ratio within one race.

Stored records are never changed. Tables, reports, exports and the summary use the records of a `ConfirmedStudy`.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from objectives.base import Direction, Measurement
from search.record.confirmation import Confirmation, Finalist
from search.record.latency_text import LATENCY
from search.record.number_text import significant
from search.record.trial import Outcome, TrialRecord

LEAST_SHAPES = 3
"""Minimum number of re-measured shapes that tell a factor for the others."""
LEAST_SPREAD = 0.01
"""Minimum standard deviation of the changes, as a logarithm: a few may agree by chance."""
SURE = 2.0
"""Number of standard errors from which on the factor is not taken for chance, and half of the 95 % interval in standard
deviations."""


@dataclass(frozen=True)
class SessionChange:
    """Change of latencies between the study and the race, the same for all networks but for a spread.

    Attributes:
        factor: Median of (latency in the race / latency in the study) over the shapes; 1 if it may be chance.
        spread: Standard deviation of its logarithm.
        shapes: Number of shapes that were compared.
    """

    factor: float
    spread: float
    shapes: int

    def apply(self, latency: Measurement) -> Measurement:
        """Return a latency of the study as it is expected in the race, with its wider interval."""
        half = SURE * self.spread
        return replace(
            latency,
            value=latency.value * self.factor,
            low=None if latency.low is None else self._end(latency.value, latency.low, -half),
            high=None if latency.high is None else self._end(latency.value, latency.high, half),
            ratio=None if latency.ratio is None else latency.ratio * self.factor,
        )

    def text(self) -> str:
        """Return `other rows: latency of the study x 0.81 ± 6 %, the change of these networks since then`."""
        factor = "" if self.factor == 1.0 else f"x {self.factor:.2f} "
        return f"other rows: latency of the study {factor}± {self._percent}, the change of these networks since then"

    @property
    def _percent(self) -> str:
        return f"{significant(100 * SURE * self.spread)} %"

    def _end(self, value: float, end: float, half: float) -> float:
        """Return an end of the interval: both causes of error are independent."""
        reach = math.hypot(math.log(max(end, 1e-9) / value), half)
        return value * self.factor * math.exp(math.copysign(reach, half))


@dataclass(frozen=True)
class ConfirmedStudy:
    """A study's records and front with the latencies of the newest confirmation.

    Attributes:
        records: In their stored order, with the latency that counts now and its excess over limits.
        front: Names of the members, ascending in the last objective.
        trial_latencies: The latency that was measured in the study, for each record that was re-measured.
        dropped: For each member that leaves the front the name of a record that dominates it; empty if the member
            exceeds a limit.
        ties: For each re-measured network the names of those that it ties with.
        change: Change of all latencies since the study; None if too few networks were re-measured to tell.
    """

    records: tuple[TrialRecord, ...]
    front: tuple[str, ...]
    trial_latencies: Mapping[str, Measurement] = field(default_factory=dict)
    dropped: Mapping[str, str] = field(default_factory=dict)
    ties: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    change: SessionChange | None = None


def apply_confirmation(
    records: Sequence[TrialRecord],
    front: Sequence[str],
    objectives: Sequence[tuple[str, Direction]],
    confirmation: Confirmation | None,
) -> ConfirmedStudy:
    """Replace latencies by those of a confirmation, and find the front that follows.

    Members of the front and re-measured networks compete for it. Where two latencies tie, the other objectives decide.

    Args:
        front: Names of the members before confirmation.
        confirmation: The newest one; None changes nothing.
    """
    if confirmation is None:
        return ConfirmedStudy(tuple(records), tuple(front))
    by_shape = _finalists_by_shape(records, confirmation)
    change = _change_of(records, confirmation)
    confirmed = tuple(_settled(record, by_shape.get(_shape(record)), change, confirmation) for record in records)
    ties = {member.name: member.ties for member in confirmation.members}
    rivals = [each for each in confirmed if each.name in ties or each.name in set(front)]
    stays, beaten = _front_of([each for each in rivals if _may_be_member(each)], objectives, ties)
    dropped = {name: beaten.get(name, "") for name in front if name not in {each.name for each in stays}}
    last = objectives[-1][0]
    return ConfirmedStudy(
        records=confirmed,
        front=tuple(each.name for each in sorted(stays, key=lambda record: record.value(last) or 0.0)),
        trial_latencies={
            record.name: latency
            for record in records
            if _shape(record) in by_shape and (latency := record.measurement(LATENCY)) is not None
        },
        dropped={name: by for name, by in dropped.items() if any(each.name == name for each in records)},
        ties=ties,
        change=change,
    )


def confirmation_remarks(confirmed: ConfirmedStudy) -> dict[str, str]:
    """Return a remark for each re-measured record: ties, the record that dominates it, its latency in the study."""
    found: dict[str, str] = {}
    for name, latency in confirmed.trial_latencies.items():
        parts = [f"= {', '.join(confirmed.ties[name])}"] if confirmed.ties.get(name) else []
        if name in confirmed.dropped:
            by = confirmed.dropped[name]
            parts.append(f"off the front, dominated by {by}" if by else "off the front, over a limit")
        found[name] = "; ".join([*parts, f"{latency.value:.3g} ms in the study"])
    return found


def shapes_of(records: Sequence[TrialRecord]) -> list[list[TrialRecord]]:
    """Return records grouped by the shape of their networks, in the order of their first ones."""
    found: dict[Hashable, list[TrialRecord]] = {}
    for record in records:
        found.setdefault(_shape(record), []).append(record)
    return list(found.values())


def _shape(record: TrialRecord) -> Hashable:
    """Return a key that is equal for records whose networks have one shape; the name if the shape is unknown."""
    return record.name if record.spec is None else (record.spec.shape_key, record.recipe.get("imgsz"))


def _finalists_by_shape(records: Sequence[TrialRecord], confirmation: Confirmation) -> dict[Hashable, Finalist]:
    named = ((record, confirmation.named(record.name)) for record in records)
    return {_shape(record): finalist for record, finalist in named if finalist is not None}


def _change_of(records: Sequence[TrialRecord], confirmation: Confirmation) -> SessionChange | None:
    """Return the change of the latencies since the study, from all shapes that were measured in both."""
    changes: dict[Hashable, float] = {}
    for record in records:
        now, before = confirmation.named(record.name), record.measurement(LATENCY)
        if now is not None and before is not None and not before.predicted and before.target == confirmation.target_key:
            changes[_shape(record)] = math.log(now.value / before.value)
    if len(changes) < LEAST_SHAPES:
        return None
    values = np.array(list(changes.values()))
    middle = float(np.median(values))
    spread = max(LEAST_SPREAD, float(np.std(values, ddof=1)))
    is_chance = abs(middle) < SURE * spread / math.sqrt(len(values))
    return SessionChange(1.0 if is_chance else math.exp(middle), spread, len(values))


def _settled(
    record: TrialRecord, finalist: Finalist | None, change: SessionChange | None, confirmation: Confirmation
) -> TrialRecord:
    """Return the record with the latency that counts now, and the excess of that over its limit."""
    before = record.measurement(LATENCY)
    if before is None:
        return record
    if finalist is not None:
        now = _measurement_of(finalist, confirmation)
    elif change is not None and not before.predicted and before.target == confirmation.target_key:
        now = change.apply(before)
    else:
        return record
    constraints = dict(record.constraints)
    if LATENCY in constraints:  # the excess of the study's latency
        constraints[LATENCY] += now.value - before.value
    others = tuple(now if each is before else each for each in record.measurements)
    return replace(record, measurements=others, constraints=constraints)


def _measurement_of(finalist: Finalist, confirmation: Confirmation) -> Measurement:
    return Measurement(
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


def _may_be_member(record: TrialRecord) -> bool:
    return record.outcome is Outcome.COMPLETE and record.feasible and not record.is_repeated


def _front_of(
    rivals: Sequence[TrialRecord], objectives: Sequence[tuple[str, Direction]], ties: Mapping[str, tuple[str, ...]]
) -> tuple[list[TrialRecord], dict[str, str]]:
    """Return the members of the front, and for each other record the member that is no worse than it.

    The best in the first objective comes first, so that what beats a record is itself a member: ties of latency are not
    transitive.
    """
    complete = [each for each in rivals if all(each.value(name) is not None for name, _ in objectives)]
    members: list[TrialRecord] = []
    beaten: dict[str, str] = {}
    for record in sorted(complete, key=lambda each: [_loss(each, *objective) for objective in objectives]):
        by = next((each for each in members if _is_no_worse(each, record, objectives, ties)), None)
        if by is None:
            members.append(record)
        else:
            beaten[record.name] = by.name
    return members, beaten


def _is_no_worse(
    one: TrialRecord,
    other: TrialRecord,
    objectives: Sequence[tuple[str, Direction]],
    ties: Mapping[str, tuple[str, ...]],
) -> bool:
    """Return whether one record is at least as good as another in all objectives; tied latencies are equal."""
    compared = [each for each in objectives if each[0] != LATENCY or one.name not in ties.get(other.name, ())]
    return all(_loss(one, *objective) <= _loss(other, *objective) for objective in compared)


def _loss(record: TrialRecord, name: str, direction: Direction) -> float:
    """Return the figure of a record such that less is better; infinite if it is not known."""
    value = record.value(name)
    if value is None:
        return math.inf
    return -value if direction is Direction.MAXIMIZE else value
