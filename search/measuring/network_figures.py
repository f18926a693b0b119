"""The figures of one measured network, as lines for a terminal and as plain values for JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from objectives.device.target import Target
from objectives.timing.meter import Latency
from objectives.timing.timings import Timings
from search.record.number_text import significant


@dataclass(frozen=True)
class NetworkFigures:
    """A network's latency beside that of its reference.

    Attributes:
        latency: The network's latency, with the raw times of network and reference.
        frozen_ms: Reference time in ms that the latency is scaled by; with a database, the one frozen there.
        reference: Times of the reference alone.
    """

    model: Path
    reference_name: str
    target: Target
    latency: Latency
    frozen_ms: float
    reference: Timings

    def lines(self) -> Iterator[str]:
        """Return the figures as a short block of lines."""
        timings, clock = self.latency.timings, self.target.clock
        found = self.latency.measurement
        p50, p90, p99 = map(significant, timings.percentiles_ms(clock))
        now_ms = self.reference.reference_ms(clock).median
        clock_text = "CPU time of its thread" if clock == "cpu" else "wall time"
        low, high = found.interval
        ratio, ratio_low, ratio_high = (each / self.frozen_ms for each in (found.value, low, high))
        yield f"ratio      {ratio:.3f} ({ratio_low:.3f} to {ratio_high:.3f}, 95 %) of the reference"
        yield f"latency    {significant(found.value)} ms ({significant(low)} to {significant(high)})"
        yield f"observed   p50 {p50}, p90 {p90}, p99 {p99} ms, {found.runs} runs, {clock_text}"
        yield f"reference  {self.reference_name}: {significant(self.frozen_ms)} ms, {significant(now_ms)} ms now"
        yield f"target     {self.target}, {self.target.engine} ({self.target.key[:12]})"
        yield f"meanwhile  {_circumstances(timings, clock)}"

    def as_plain(self) -> dict[str, Any]:
        """Return everything that was measured as plain values, raw times included."""
        timings, clock = self.latency.timings, self.target.clock
        return {
            "model": str(self.model),
            "reference": {"name": self.reference_name, "ms": self.frozen_ms},
            "latency": vars(self.latency.measurement),
            "percentiles_ms": dict(zip(("p50", "p90", "p99"), timings.percentiles_ms(clock), strict=True)),
            "spread": timings.spread(clock),
            "target": {"key": self.target.key, **self.target.description()},
            "clock": clock,
            "timings": timings.as_plain(),
        }


def _circumstances(timings: Timings, clock: str) -> str:
    seen = timings.circumstances
    parts = ["other work cannot be seen here" if seen.others_busy is None else f"others: {seen.others_busy:.2f} cores"]
    parts += [f"{seen.mhz:.0f} MHz"] if seen.mhz is not None else []
    parts += [f"{seen.celsius:.0f} degrees C"] if seen.celsius is not None else []
    parts += [f"on the device: {', '.join(seen.foreign)}"] if seen.foreign else []
    parts += [f"passed over: {', '.join(seen.passed_over)}"] if seen.passed_over else []
    contended = timings.contended(clock)
    parts += ["the machine was slow for most of the time"] if contended and not seen.contended else []
    return ", ".join(parts) + {True: "; contended: measure again", False: "; not contended", None: ""}[contended]
