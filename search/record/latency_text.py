"""Latencies as text: with their spread, and with a mark if they are contended or predicted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from objectives.base import Measurement
from objectives.quantities import LATENCY_MS
from search.record.number_text import significant, spread_text
from search.record.trial import TrialRecord

LATENCY = LATENCY_MS.name
FURTHER = LATENCY_MS.on("")
"""Prefix of the names of latencies on a study's further targets."""
LOADED_MARK = "†"
PREDICTED_MARK = "~"
MEANINGS = {
    LOADED_MARK: "timed while other work was seen on the device",
    PREDICTED_MARK: "predicted, not measured",
}


def is_latency(name: str) -> bool:
    """Return whether a measurement with that name is a latency, on any target."""
    return name == LATENCY or name.startswith(FURTHER)


def further_names(records: Iterable[TrialRecord]) -> tuple[str, ...]:
    """Return the names of the latencies on further targets, in the order of their first measurements."""
    found = (each.name for record in records for each in record.measurements if each.name.startswith(FURTHER))
    return tuple(dict.fromkeys(found))


def latency_text(measured: Measurement) -> str:
    """Return `12.3 ± 0.4`; `†12.3 ± 0.4` if it is contended, `~12.3 ± 0.4` if it is predicted."""
    half = half_interval_ms(measured)
    spread = "" if half is None else f" ± {spread_text(measured.value, half)}"
    return f"{mark_of(measured)}{significant(measured.value)}{spread}"


def mark_of(measured: Measurement) -> str:
    """Return the mark before the figure; empty for an uncontended measurement."""
    return PREDICTED_MARK if measured.predicted else LOADED_MARK if measured.contended else ""


def half_interval_ms(measured: Measurement) -> float | None:
    """Return half of the 95 % interval, the longer side if it is not symmetric; None if there is none."""
    if measured.low is None or measured.high is None:
        return None
    return max(measured.high - measured.value, measured.value - measured.low)


def is_told_apart(one: TrialRecord, other: TrialRecord) -> bool:
    """Return whether the latencies of two records differ: one at least lies outside of the other's 95 % interval."""
    first, second = one.measurement(LATENCY), other.measurement(LATENCY)
    if first is None or second is None or half_interval_ms(first) is None or half_interval_ms(second) is None:
        return True
    (low, high), (other_low, other_high) = first.interval, second.interval
    return not (low <= second.value <= high and other_low <= first.value <= other_high)


def legend(records: Sequence[TrialRecord]) -> tuple[str, ...]:
    """Return the meanings of the marks of these records' latencies: `† timed while ...`."""
    latencies = [each for record in records for each in record.measurements if is_latency(each.name)]
    marks = {mark_of(latency) for latency in latencies}
    return tuple(f"{mark} {words}" for mark, words in MEANINGS.items() if mark in marks)


def measured_ms(record: TrialRecord) -> float | None:
    """Return the record's latency if it was measured; None if it is only predicted."""
    found = record.measurement(LATENCY)
    return None if found is None or found.predicted else found.value


def is_predicted(record: TrialRecord, name: str) -> bool:
    """Return whether a measurement of the record is only predicted."""
    found = record.measurement(name)
    return found is not None and found.predicted
