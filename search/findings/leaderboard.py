"""The results of a study as rows: the parent, the other reference rows, then the trials.

A row has a record's figures, its differences to the parent, and a note with its role or its ending.
`search.findings.formats` writes the rows as a terminal table, Markdown and CSV.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from objectives.base import Direction
from objectives.quantities import MAP50_95, USUAL_OBJECTIVES, VAL
from search.findings.columns import Column, columns_of
from search.findings.notes import note
from search.findings.roles import front_roles, least_for_roles
from search.record.latency_text import LATENCY, half_interval_ms, is_latency, latency_text, measured_ms
from search.record.trial import Outcome, TrialRecord
from search.record.words import BEST_BY_F1
from search.study.file_objectives import accuracy_aimed_at
from search.study.rows import BEST_F1, PARENT_NAME


@dataclass(frozen=True)
class Row:
    """One line of the leaderboard.

    Attributes:
        record: Trial or reference row.
        values: Each column's figure by its key; None if it was not measured.
        spread_ms: Half the 95 % interval of the latency; None if there is none.
        on_front: Whether the record is on the Pareto front.
        roles: Roles of a member of the front: `fastest`, `best`, `knee`.
        best: Keys of the columns in which no other complete, feasible record is better.
        gain: Difference to the parent in the accuracy that the study aims at; None for the parent and if a figure is
            missing.
        speed_up: The parent's latency divided by its own, so higher is faster; None as for `gain`.
        note: Roles, outcome with its reason, lineage.
    """

    record: TrialRecord
    values: Mapping[str, float | None]
    spread_ms: float | None = None
    on_front: bool = False
    roles: tuple[str, ...] = ()
    best: frozenset[str] = field(default_factory=frozenset)
    gain: float | None = None
    speed_up: float | None = None
    note: str = ""

    def text(self, column: Column) -> str:
        """Return the column's cell; empty if unknown. A latency has its spread and its mark: see `latency_text`."""
        value = self.values.get(column.key)
        if value is None:
            return ""
        latency = self.record.measurement(column.key) if is_latency(column.key) else None
        return column.text(value) if latency is None else latency_text(latency)

    @property
    def gain_text(self) -> str:
        """The gain as `-0.012`; empty if it is unknown."""
        return "" if self.gain is None else f"{self.gain:+.3f}"

    @property
    def speed_up_text(self) -> str:
        """The speed-up as `1.80x`; empty if it is unknown."""
        return "" if self.speed_up is None else f"{self.speed_up:.2f}x"


def leaderboard(
    records: Sequence[TrialRecord],
    front: Collection[str] = (),
    *,
    objectives: Sequence[tuple[str, Direction]] = USUAL_OBJECTIVES,
    split: str = VAL,
    remarks: Mapping[str, str] | None = None,
    at_best_f1: bool = False,
    at_least: Mapping[str, float] | None = None,
) -> tuple[Row, ...]:
    """Return the rows: the parent, reference rows in the order they were made, then trials, best first.

    Copied trials stand among the trials. Trials without a figure for the first objective come last: stopped, ruled out,
    failed, duplicate.

    Args:
        front: Names of the records on the Pareto front.
        split: Split whose accuracy the columns show; the front is always that of val.
        remarks: Text for the end of the note, by record: see `search.record.confirmation.confirmation_remarks`.
        at_best_f1: See `columns_of`.
        at_least: See `search.findings.roles.least_for_roles`.
    """
    records, merged = without_twins(records)
    front = {merged.get(name, name) for name in front}
    parent, remarks = parent_of(records), remarks or {}
    accuracy = accuracy_aimed_at(name for name, _ in objectives)
    columns = columns_of(records, at_best_f1=at_best_f1)
    values = {each.name: {column.key: each.value(column.key, split) for column in columns} for each in records}
    best = _best_values(records, values, columns)
    least = least_for_roles(parent, objectives, at_least)
    roles = front_roles([record for record in records if record.name in front], objectives, least)
    return tuple(
        Row(
            record=record,
            values=values[record.name],
            spread_ms=spread_ms(record),
            on_front=record.name in front,
            roles=roles.get(record.name, ()),
            best=_wins(record, values[record.name], best),
            gain=gain(record, parent, split, accuracy),
            speed_up=speed_up(record, parent),
            note="; ".join(filter(None, _notes(record, roles.get(record.name, ()), remarks, merged.values()))),
        )
        for record in _ordered(records, parent, objectives[0])
    )


def without_twins(records: Sequence[TrialRecord]) -> tuple[list[TrialRecord], dict[str, str]]:
    """Return the records without rows for the best F1 whose epoch is the last one, and whose network each of them is.

    Such a row has the figures of the row that it belongs to, to the last digit.
    """
    named = {record.name: record for record in records}
    merged = {}
    for record in records:
        own = named.get(record.name.removesuffix(BEST_F1)) if record.is_reference else None
        if own is not None and own is not record and own.evaluations and _accuracy(own) == _accuracy(record):
            merged[record.name] = own.name
    return [record for record in records if record.name not in merged], merged


def _accuracy(record: TrialRecord) -> tuple[object, ...]:
    return (record.spec, *record.evaluations)


def _notes(
    record: TrialRecord, roles: Sequence[str], remarks: Mapping[str, str], merged: Collection[str]
) -> tuple[str | None, ...]:
    also = BEST_BY_F1 if record.name in merged else ""
    return note(record, roles), remarks.get(record.name), also


def parent_of(records: Sequence[TrialRecord]) -> TrialRecord | None:
    """Return the parent's reference row; None if it is not stored."""
    references = [record for record in records if record.is_reference]
    named = (record for record in references if record.name == PARENT_NAME)
    return next(named, next((record for record in references if record.lineage is None), None))


def spread_ms(record: TrialRecord) -> float | None:
    """Return half the width of the latency's 95 % interval, in ms."""
    latency = record.measurement(LATENCY)
    return None if latency is None else half_interval_ms(latency)


def gain(
    record: TrialRecord, parent: TrialRecord | None, split: str = VAL, accuracy: str = MAP50_95.name
) -> float | None:
    """Return the difference of accuracy to the parent; None for the parent and if one was not evaluated."""
    theirs = None if parent is None or record is parent else parent.value(accuracy, split)
    ours = record.value(accuracy, split)
    return None if ours is None or theirs is None else ours - theirs


def speed_up(record: TrialRecord, parent: TrialRecord | None) -> float | None:
    """Return the parent's latency divided by the record's; None for the parent and if one was not timed."""
    theirs = None if parent is None or record is parent else measured_ms(parent)
    ours = measured_ms(record)
    return theirs / ours if ours and theirs else None


def _best_values(
    records: Sequence[TrialRecord], values: Mapping[str, Mapping[str, float | None]], columns: Sequence[Column]
) -> dict[str, float]:
    best: dict[str, float] = {}
    rivals = [record for record in records if _competes(record)]
    for column in columns:
        known = [value for record in rivals if (value := values[record.name][column.key]) is not None]
        if known and column.better is not None:
            best[column.key] = max(known) if column.better is Direction.MAXIMIZE else min(known)
    return best


def _competes(record: TrialRecord) -> bool:
    return record.outcome is Outcome.COMPLETE and record.feasible and not record.is_repeated


def _wins(record: TrialRecord, values: Mapping[str, float | None], best: Mapping[str, float]) -> frozenset[str]:
    return frozenset(key for key, value in best.items() if _competes(record) and values[key] == value)


def _ordered(
    records: Sequence[TrialRecord], parent: TrialRecord | None, first: tuple[str, Direction]
) -> list[TrialRecord]:
    endings = list(Outcome)

    def place(record: TrialRecord) -> tuple[int, int, float, int]:
        if record.is_beside_trials:
            return (0 if record is parent else 1, 0, 0.0, 0)
        value = record.value(first[0]) if record.outcome is Outcome.COMPLETE else None
        gain = 0.0 if value is None else value if first[1] is Direction.MAXIMIZE else -value
        return (2, endings.index(record.outcome), -gain, record.number or 0)

    return sorted(records, key=place)
