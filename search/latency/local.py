"""Latencies on one target: a shape is timed once, found again in the database, and timed anew if other work disturbed.

What a target's reference takes is measured once, when the device is idle, and frozen with the target.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

from objectives.base import Measurement
from objectives.device.activity import Watch
from objectives.device.lock import device_lock, device_named
from objectives.device.target import Target
from objectives.timing.meter import Latency
from objectives.timing.timings import Timings
from search.record.latency_text import LATENCY
from search.record.number_text import significant
from search.store.base import Store
from search.store.entries import LatencyEntry, TargetEntry
from spaces.base import Candidate
from spaces.structure.shape import Shape

LOOK_S = 0.25  # a look at the device before something is timed anew
GPU_LOOK_S = 2.0  # a GPU's driver tells once a second who works


class Meter(Protocol):
    """What times networks: a `LatencyMeter`."""

    target: Target

    def reference_timings(self) -> Timings:
        """The reference by itself, now."""

    def measure(self, candidate: Candidate, reference_ms: float, limit_ms: float | None = None) -> Latency:
        """The candidate in turn with the reference."""


@dataclass(frozen=True)
class Patience:
    """How often the reference is timed in wait of an idle device before its time is frozen all the same.

    Attributes:
        wait_s: Between two tries.
    """

    tries: int = 4
    wait_s: float = 6.0
    sleep: Callable[[float], None] = time.sleep


PATIENCE = Patience()


@dataclass
class Timekeeper:
    """The latencies of one target.

    Attributes:
        name: Of its measurements: `latency_ms`, or `latency_ms.openvino-cpu` for one of a study's further targets.
        say: Takes a line that the user should see.
        idle: Whether the device does nothing else now; a short look.
    """

    store: Store
    meter: Meter
    name: str = LATENCY
    patience: Patience = PATIENCE
    say: Callable[[str], None] = lambda line: None
    idle: Callable[[], bool] | None = None
    _in_vain: int = field(default=0, repr=False)  # repeats in a row that were disturbed again
    _rest: int = field(default=0, repr=False)  # times that none is tried after them

    @property
    def target(self) -> Target:
        """Where it is measured."""
        return self.meter.target

    @cached_property
    def reference_ms(self) -> float:
        """The frozen time of the reference; measured and frozen by whoever asks first."""
        known = self.store.target(self.target.key)
        if known is None:
            with self.store.exclusive(f"target {self.target.key}"):  # two at once would disturb each other
                known = self.store.target(self.target.key) or self._freeze()
        return known.reference_ms

    def latency(self, candidate: Candidate, limit_ms: float | None = None) -> Measurement:
        """At the candidate's image size; from the store if its shape was measured before.

        Args:
            limit_ms: What is too slow: how much slower a network is than that need not be known precisely.

        Raises:
            CandidateError: If the network does not export, load or run.
        """
        known = self.store.latency(self._shape_key(candidate), self.target.key) or self._timed(candidate, limit_ms)
        return replace(known.measurement, name=self.name)

    def repeat_disturbed(self, structure: str, rebuild: Callable[[Shape], Candidate]) -> bool:
        """Time the oldest latency again that was taken under load, if the device is idle now; whether it was done.

        Args:
            structure: Key of the parent's structure: others cannot be rebuilt here.

        Raises:
            CandidateError: If the network cannot be timed now.
        """
        if self._rest:
            self._rest -= 1
            return False
        waiting = disturbed(self.store.latencies(self.target.key), structure)
        if not waiting or not (self.idle or self._looks_idle)():
            return False
        again = self._timed(rebuild(waiting[0])).measurement.contended
        self._in_vain = self._in_vain + 1 if again else 0
        self._rest = 2**self._in_vain - 1  # on a machine that is never idle each try would cost seconds
        return True

    def _timed(self, candidate: Candidate, limit_ms: float | None = None) -> LatencyEntry:
        latency = self.meter.measure(candidate, self.reference_ms, limit_ms)
        entry = latency_entry(self._shape_key(candidate), Shape.of(candidate), latency, self.target)
        self.store.add_latency(entry)
        return entry

    def _shape_key(self, candidate: Candidate) -> str:
        return stored_key(Shape.of(candidate), self.target)

    def _freeze(self) -> TargetEntry:
        seen = [self.meter.reference_timings()]
        clock = self.target.clock
        while seen[-1].contended(clock) and len(seen) < self.patience.tries:
            self.patience.sleep(self.patience.wait_s)
            seen.append(self.meter.reference_timings())
        best = min(seen, key=lambda timings: _load(timings, clock))
        entry = TargetEntry(
            self.target.key,
            self.target.description(),
            best.reference_ms(clock).median,
            best.contended(clock),
            best.circumstances.as_plain(),
        )
        if entry.contended:
            level = f"{significant(entry.reference_ms)} ms on {self.target}"
            self.say(
                f"other work ran while the reference was timed ({level}); that is frozen: latencies can be compared "
                "with each other, their level may be off"
            )
        return self.store.add_target(entry)

    def _looks_idle(self) -> bool:
        """Whether others leave the device alone; our own trainings wait meanwhile."""
        device = device_named(self.target.provider)
        with device_lock(device).measuring():
            watch = Watch(self.target.provider, device)
            time.sleep(LOOK_S if self.target.provider == "cpu" else GPU_LOOK_S)
            return not watch.seen().contended


def stored_key(shape: Shape, target: Target) -> str:
    """What a shape is stored under: with the image size where that is not the target's own, which its key tells."""
    return shape.key if shape.imgsz == target.imgsz else f"{shape.key} {shape.imgsz} px"


def latency_entry(shape_key: str, shape: Shape | None, latency: Latency, target: Target) -> LatencyEntry:
    """Everything that was seen of a latency, as it is stored."""
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


def disturbed(entries: Sequence[LatencyEntry], structure: str) -> tuple[Shape, ...]:
    """Shapes that were measured under load only, the one whose last try is longest ago first.

    Args:
        entries: Of one target, oldest first.
        structure: Key of the parent's structure whose shapes are meant.
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


def _load(timings: Timings, clock: str) -> tuple[bool, int, float]:
    seen = timings.circumstances
    return bool(timings.contended(clock)), len(seen.foreign), seen.others_busy or 0.0
