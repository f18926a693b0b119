"""The leaderboard as lines of a data frame: plain values by the names of their columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from objectives.quantities import F1, MAP50, MAP50_95, MAP75, OWN_ACCURACIES, PRECISION, RECALL
from search.findings.columns import columns_of
from search.findings.formats import splits_of
from search.findings.leaderboard import Row
from search.record.latency_text import LATENCY
from search.record.trial import TrialRecord

_OWN = (each for own in OWN_ACCURACIES.values() for each in own)
OF_A_SPLIT = frozenset(each.name for each in (MAP50_95, MAP50, MAP75, PRECISION, RECALL, F1, *_OWN))
"""Quantities that each split has a column of."""


def frame_lines(rows: Sequence[Row], records: Sequence[TrialRecord]) -> list[dict[str, Any]]:
    """Return a line for each row of a leaderboard; all lines have the same names."""
    names = tuple(dict.fromkeys(name for record in records for name in record.params))
    return [_line(row, records, names) for row in rows]


def _line(row: Row, records: Sequence[TrialRecord], names: Sequence[str]) -> dict[str, Any]:
    record = row.record
    latency = record.measurement(LATENCY)
    line: dict[str, Any] = {"name": record.name, "number": record.number, "outcome": record.outcome.value}
    line |= {"on_front": row.on_front, "roles": ", ".join(row.roles)}
    for column in columns_of(records):
        if column.key in OF_A_SPLIT:
            line |= {f"{split}.{column.key}": record.value(column.key, split) for split in splits_of(records)}
        else:
            line[column.key] = record.value(column.key)
    line |= {"latency_low_ms": latency and latency.low, "latency_high_ms": latency and latency.high}
    line |= {"gain": row.gain, "speed_up": row.speed_up, "seconds": sum(record.seconds.values())}
    line |= {"reason": record.reason, "note": row.note}
    return line | {f"params.{name}": _plain(record.params.get(name)) for name in names}


def _plain(value: object) -> object:
    """Return a parameter as polars takes it: a number, or text."""
    return value if value is None or (isinstance(value, int | float) and not isinstance(value, bool)) else str(value)
