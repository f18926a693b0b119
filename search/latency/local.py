"""Latencies of a target on this machine: a shape is measured once, and again if that was contended."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol, final

from objectives.base import Measurement
from objectives.device.target import Target
from objectives.timing.idle_wait import wait_at_most
from objectives.timing.meter import Latency, latency_of
from objectives.timing.session_spread import SessionSpread
from objectives.timing.timings import Timings
from search.latency.predictor import LatencyPredictor, fit_of
from search.latency.source import LatencySource
from search.latency.stored_latencies import contended_shapes, latency_entry, session_spread, stored_key
from search.record.events import Note, Say, say_nothing
from search.record.latency_text import LATENCY
from search.record.number_text import significant
from search.store.base import Store
from search.store.entries import LatencyEntry, TargetEntry
from search.store.outage.among_all import once_among_all
from spaces.base import Candidate
from spaces.steps import note_step
from spaces.structure.shape import Shape
from spaces.structure.structure import Structure


class Meter(Protocol):
    """The part of `LatencyMeter` that a `LocalLatency` uses."""

    target: Target

    def device_is_idle(self) -> bool:
        """Look for a moment whether other processes leave the device alone."""

    def reference_timings(self) -> Timings:
        """Measure the reference alone."""

    def measure(self, candidate: Candidate, reference_ms: float, limit_ms: float | None = None) -> Latency:
        """Measure the candidate in turn with the reference."""


@dataclass(frozen=True)
class IdleWait:
    """Patience with a device that is not idle.

    Attributes:
        tries: Maximum number of measurements of the reference; the last one is frozen even if it was contended.
        wait_s: Seconds between two tries.
        is_idle: Checks whether other processes leave the device alone before a shape is measured again; None asks
            the meter.
    """

    tries: int = 4
    wait_s: float = 6.0
    sleep: Callable[[float], None] = time.sleep
    is_idle: Callable[[], bool] | None = None


USUAL_WAIT = IdleWait()


def wait_of_user() -> IdleWait:
    """Return the usual patience, with as many tries as the user's limit allows (`objectives.timing.idle_wait`).

    Raises:
        TargetError: If that limit is not a number of seconds.
    """
    whole_s = (USUAL_WAIT.tries - 1) * USUAL_WAIT.wait_s
    return replace(USUAL_WAIT, tries=1 + math.floor(wait_at_most(whole_s) / USUAL_WAIT.wait_s))


@final
@dataclass
class LocalLatency(LatencySource):
    """Latencies of one target that is measured by a meter of this process."""

    store: Store
    meter: Meter
    name: str = LATENCY
    wait: IdleWait = USUAL_WAIT
    say: Say = say_nothing
    _reference_ms: float | None = field(default=None, repr=False)
    _failures: int = field(default=0, repr=False)  # repeats in a row that were contended again
    _skips: int = field(default=0, repr=False)  # number of calls that do nothing after such repeats

    @property
    def target(self) -> Target:
        """See `LatencySource`."""
        return self.meter.target

    @property
    def reference_ms(self) -> float:
        """See `LatencySource`."""
        if self._reference_ms is None:
            stored = self.store.target(self.target.key)
            if stored is None:
                raise LookupError(f"internal: freeze_reference() was not called for {self.target}")
            self._reference_ms = stored.reference_ms
        return self._reference_ms

    def freeze_reference(self) -> float:
        """See `LatencySource`. The device is measured when it is idle, after waiting for a while at most."""
        key = self.target.key
        with once_among_all(self.store, f"target {key}", lambda: self.store.target(key) is not None) as is_mine:
            if is_mine:  # two processes would disturb each other
                self.store.add_target(self._measured_reference())
        return self.reference_ms

    def latency(self, candidate: Candidate, limit_ms: float | None = None) -> Measurement:
        """See `LatencySource`."""
        key = stored_key(Shape.of(candidate), self.target)
        known = self.store.latency(key, self.target.key) or self._measure(candidate, limit_ms)
        return replace(known.measurement, name=self.name)

    def predictor_of(self, structure: Structure) -> LatencyPredictor:
        """See `LatencySource`."""
        return LatencyPredictor(
            store=self.store,
            target=self.target,
            reference_ms=self.freeze_reference(),
            structure=structure.key,
            fit=fit_of(structure),
        )

    def remeasure_contended(self, structure: str, rebuild: Callable[[Shape], Candidate]) -> bool:
        """See `LatencySource`. After each repeat that was contended again, twice as many calls do nothing."""
        if self._skips:
            self._skips -= 1
            return False
        waiting = contended_shapes(self.store.latencies(self.target.key), structure)
        if not waiting or not (self.wait.is_idle or self.meter.device_is_idle)():
            return False
        again = self._measure(rebuild(waiting[0])).measurement.contended
        self._failures = self._failures + 1 if again else 0
        self._skips = 2**self._failures - 1  # on a machine that is never idle each try would cost seconds
        return True

    @cached_property
    def _spread(self) -> SessionSpread:
        """The spread between sessions, by what was measured repeatedly before this process began."""
        return session_spread(self.store.latencies(self.target.key))

    def _measure(self, candidate: Candidate, limit_ms: float | None = None) -> LatencyEntry:
        reference_ms = self.freeze_reference()
        measured = self.meter.measure(candidate, reference_ms, limit_ms)
        latency = latency_of(measured.timings, self.target, reference_ms, self._spread)
        shape = Shape.of(candidate)
        entry = latency_entry(stored_key(shape, self.target), shape, latency, self.target)
        self.store.add_latency(entry)
        return entry

    def _measured_reference(self) -> TargetEntry:
        observed = [self.meter.reference_timings()]
        clock = self.target.clock
        while observed[-1].contended(clock) and len(observed) < self.wait.tries:
            self.wait.sleep(self.wait.wait_s)
            note_step()
            observed.append(self.meter.reference_timings())
        best = min(observed, key=lambda timings: _contention(timings, clock))
        entry = TargetEntry(
            self.target.key,
            self.target.description(),
            best.reference_ms(clock).median,
            best.contended(clock),
            best.circumstances.as_plain(),
        )
        if entry.contended:
            level = f"{significant(entry.reference_ms)} ms on {self.target}"
            line = (
                f"other work ran while the reference was timed ({level}); that is frozen: latencies can be compared "
                "with each other, their level may be off"
            )
            self.say(Note(line))
        return entry


def _contention(timings: Timings, clock: str) -> tuple[bool, int, float]:
    """Return a key that is smaller for timings with less other work."""
    observed = timings.circumstances
    return bool(timings.contended(clock)), len(observed.foreign), observed.others_busy or 0.0
