"""Stored latencies of one target: under which key, with which facts, and which of several measurements counts."""

from __future__ import annotations

from collections.abc import Sequence

from objectives.device.target import Target
from objectives.timing.meter import Latency
from objectives.timing.session_spread import SessionSpread
from search.store.entries import LatencyEntry
from spaces.structure.shape import Shape


def stored_key(shape: Shape, target: Target) -> str:
    """Return the key of a shape; it names the image size if that is not the target's, which the target's key names."""
    return shape.key if shape.imgsz == target.imgsz else f"{shape.key} {shape.imgsz} px"


def latency_entry(shape_key: str, shape: Shape | None, latency: Latency, target: Target) -> LatencyEntry:
    """Return a latency with everything that was observed, as it is stored."""
    timings, clock = latency.timings, target.clock
    p50_ms, p90_ms, p99_ms = timings.percentiles_ms(clock)
    return LatencyEntry(
        shape_key=shape_key,
        target_key=target.key,
        measurement=latency.measurement,
        samples_ms=latency.samples_ms,
        shape=shape,
        p50_ms=p50_ms,
        p90_ms=p90_ms,
        p99_ms=p99_ms,
        spread=timings.spread(clock),
        reference_ms=timings.reference_ms(clock).median,
        other_ratio=timings.ratio("wall" if clock == "cpu" else "cpu").median,
        circumstances=timings.circumstances.as_plain(),
        blocks=timings.as_plain(),
    )


def session_spread(entries: Sequence[LatencyEntry]) -> SessionSpread:
    """Return how much the latency of a network differs between sessions, by those that were measured repeatedly.

    Args:
        entries: Entries of one target.
    """
    found: dict[str, list[float]] = {}
    for entry in entries:
        if not entry.measurement.predicted:
            found.setdefault(entry.shape_key, []).append(entry.measurement.value)
    return SessionSpread.observed(found.values())


def best_entries(entries: Sequence[LatencyEntry], structure: str) -> tuple[LatencyEntry, ...]:
    """Return one measurement for each shape of a structure: the newest uncontended one, else the newest.

    Args:
        entries: Entries of one target, oldest first.
        structure: Key of the parent's structure.
    """
    found: dict[str, LatencyEntry] = {}
    for entry in entries:
        if entry.measurement.predicted or entry.shape is None or entry.shape.parent != structure:
            continue
        before = found.get(entry.shape_key)
        if before is None or before.measurement.contended or not entry.measurement.contended:
            found[entry.shape_key] = entry
    return tuple(found.values())


def contended_shapes(entries: Sequence[LatencyEntry], structure: str) -> tuple[Shape, ...]:
    """Return the shapes of a structure that have contended measurements only, the least recently measured first.

    Args:
        entries: Entries of one target, oldest first.
        structure: Key of the parent's structure.
    """
    waiting: dict[str, Shape] = {}
    settled: set[str] = set()
    for entry in entries:
        if entry.measurement.predicted or entry.shape is None or entry.shape.parent != structure:
            continue
        waiting.pop(entry.shape_key, None)
        if entry.measurement.contended:
            waiting[entry.shape_key] = entry.shape
        else:
            settled.add(entry.shape_key)
    return tuple(shape for key, shape in waiting.items() if key not in settled)
