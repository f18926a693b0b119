"""Latencies as text: with their spread, marked where they were timed under load or are only predicted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from objectives.base import Measurement
from objectives.quantities import LATENCY_MS
from search.record.number_text import significant, spread_text
from search.record.trial import TrialRecord

LATENCY = LATENCY_MS.name
FURTHER = LATENCY_MS.on("")
"""Beginning of the names of latencies on a study's further targets."""
LOADED_MARK = "†"
PREDICTED_MARK = "~"
MEANINGS = {
    LOADED_MARK: "timed while other work was seen on the device",
    PREDICTED_MARK: "predicted, not measured",
}


def is_latency(name: str) -> bool:
    """Whether a measurement of that name is a latency, on whichever target."""
    return name == LATENCY or name.startswith(FURTHER)


def further_names(records: Iterable[TrialRecord]) -> tuple[str, ...]:
    """Names of the latencies on further targets, in the order they were first taken."""
    found = (each.name for record in records for each in record.measurements if each.name.startswith(FURTHER))
    return tuple(dict.fromkeys(found))


def latency_text(measured: Measurement) -> str:
    """`12.3 ± 0.4`; `†12.3 ± 0.4` if it was timed under load, `~12.3 ± 0.4` if it is predicted."""
    half = half_interval_ms(measured)
    spread = "" if half is None else f" ± {spread_text(measured.value, half)}"
    return f"{mark_of(measured)}{significant(measured.value)}{spread}"


def mark_of(measured: Measurement) -> str:
    """The mark before its figure; empty for one that was measured in peace."""
    return PREDICTED_MARK if measured.predicted else LOADED_MARK if measured.contended else ""


def half_interval_ms(measured: Measurement) -> float | None:
    """Half of the 95 % interval, the longer side where it is not symmetric; None where there is none."""
    if measured.low is None or measured.high is None:
        return None
    return max(measured.high - measured.value, measured.value - measured.low)


def legend(records: Sequence[TrialRecord]) -> tuple[str, ...]:
    """What the marks mean that the latencies of these records bear: `† timed while ...`."""
    latencies = [each for record in records for each in record.measurements if is_latency(each.name)]
    marks = {mark_of(latency) for latency in latencies}
    return tuple(f"{mark} {words}" for mark, words in MEANINGS.items() if mark in marks)


def measured_ms(record: TrialRecord) -> float | None:
    """The record's latency if it was measured; None for one that is only predicted."""
    found = record.measurement(LATENCY)
    return None if found is None or found.predicted else found.value


def is_predicted(record: TrialRecord, name: str) -> bool:
    """Whether a measurement of the record is only predicted."""
    found = record.measurement(name)
    return found is not None and found.predicted
