"""Latency of a candidate on the study's target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, final

from objectives.base import Measurement
from objectives.metrics.base import BeforeTraining
from objectives.quantities import LATENCY_MS, Quantity
from spaces.base import Candidate

MeasureLatency = Callable[[Candidate, float | None], Measurement]
"""Function of a candidate and the limit in ms, if any, that returns the latency: measured, known, or predicted."""


@final
@dataclass(frozen=True)
class TargetLatency(BeforeTraining):
    """Measures `latency_ms` at the candidate's image size.

    Attributes:
        source: Measures on the study's target, or remembers what was measured there.
        limit_ms: Limit of the study; a network far above it is measured less precisely. None without a limit.
    """

    source: MeasureLatency
    limit_ms: float | None = None
    quantities: ClassVar[tuple[Quantity, ...]] = (LATENCY_MS,)
    phase: ClassVar[str] = "latency"

    def measure(self, candidate: Candidate) -> tuple[Measurement, ...]:
        """Return the latency; see `BeforeTraining`."""
        return (self.source(candidate, self.limit_ms),)
