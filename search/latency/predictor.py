"""The latency predictor: latencies of networks before they are built, from the measurements on their target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, final

from objectives.base import Measurement
from objectives.device.target import Target
from search.latency.stored_latencies import best_entries, stored_key
from search.record.latency_text import LATENCY
from search.record.number_text import significant, spread_text
from search.store.base import Store
from search.store.entries import LatencyEntry
from spaces.structure.shape import Shape
from spaces.structure.structure import Structure

if TYPE_CHECKING:
    from objectives.timing.latency_model import Prediction

MIN_MEASURED = 16
"""Minimum number of measured shapes before a candidate is ruled out by its predicted latency."""
SURE_SD = 3.0
"""Number of standard deviations that a limit must lie below a predicted latency to rule a candidate out."""
SD_OF_INTERVAL = 1.96  # half a 95 % interval


class PredictedLatency(NamedTuple):
    """A predicted latency, and the standard deviation of its error."""

    mean_ms: float
    sd_ms: float


PredictRatios = Callable[[Sequence[Shape]], "Prediction"]
Fit = Callable[[Sequence[LatencyEntry]], PredictRatios]
"""From measured latencies of one structure on one target, one entry a shape, to predictions for all its shapes."""


def fit_of(structure: Structure) -> Fit:
    """Return the function that fits a `LatencyModel` to the stored measurements that have a ratio."""
    from objectives.timing.latency_model import LatencyModel, Observation  # torch: only if something is predicted

    def fit(entries: Sequence[LatencyEntry]) -> PredictRatios:
        known = [(each.shape, each.measurement.ratio) for each in entries]
        observed = [Observation(shape, ratio) for shape, ratio in known if shape is not None and ratio is not None]
        usual_px = Counter(each.shape.imgsz for each in observed).most_common(1)[0][0]
        return LatencyModel(structure, usual_px).fit(observed).predict

    return fit


@final
@dataclass(kw_only=True)
class LatencyPredictor:
    """Predicts latencies of one structure on one target; fits again when there are more measurements.

    Attributes:
        reference_ms: The frozen time of the target's reference network.
        structure: Key of the parent's structure; measurements of other structures say nothing about its layers.
    """

    store: Store
    target: Target
    reference_ms: float
    structure: str
    fit: Fit
    _count: int = field(default=-1, repr=False)  # stored latencies of the target, when they were last read
    _entries: tuple[LatencyEntry, ...] = field(default=(), repr=False)
    _predict: PredictRatios | None = field(default=None, repr=False)

    @property
    def measured_ms(self) -> Mapping[str, float]:
        """Measured latencies in ms, by the key that a shape is stored under."""
        return {entry.shape_key: entry.measurement.value for entry in self._newest()}

    def ratios(self, shapes: Sequence[Shape]) -> Prediction | None:
        """Predict the ratios of M shapes to the reference network; None if no measurement can be learnt from."""
        entries = self._newest()
        if self._predict is None and any(entry.measurement.ratio is not None for entry in entries):
            self._predict = self.fit(entries)
        return None if self._predict is None else self._predict(shapes)

    def predict(self, shape: Shape) -> PredictedLatency | None:
        """Predict the latency of one shape; None if no measurement can be learnt from."""
        found = self.ratios([shape])
        if found is None:
            return None
        return PredictedLatency(float(found.mean[0]) * self.reference_ms, float(found.sd[0]) * self.reference_ms)

    def measurement(self, predicted: PredictedLatency, name: str = LATENCY) -> Measurement:
        """Return a prediction as it stands in records: with its 95 % interval, and marked as predicted."""
        reach_ms = SD_OF_INTERVAL * predicted.sd_ms
        return Measurement(
            name,
            predicted.mean_ms,
            unit="ms",
            low=predicted.mean_ms - reach_ms,
            high=predicted.mean_ms + reach_ms,
            runs=0,
            ratio=predicted.mean_ms / self.reference_ms,
            target=self.target.key,
            predicted=True,
        )

    def too_slow(self, shape: Shape, limit_ms: float) -> Measurement | None:
        """Return the predicted latency if it is above the limit beyond doubt; None if the shape must be measured."""
        if self.store.latency(stored_key(shape, self.target), self.target.key) is not None:
            return None
        if len(self._newest()) < MIN_MEASURED:
            return None
        found = self.predict(shape)
        if found is None or found.mean_ms - SURE_SD * found.sd_ms <= limit_ms:
            return None
        return self.measurement(found)

    def _newest(self) -> tuple[LatencyEntry, ...]:
        """Return the measurement of each shape that counts; reads them again if there are more."""
        if self._count != self.store.latency_count(self.target.key):
            entries = self.store.latencies(self.target.key)
            self._entries = best_entries(entries, self.structure)
            self._count, self._predict = len(entries), None
        return self._entries


def too_slow_text(predicted: Measurement, limit_ms: float) -> str:
    """Return why a candidate is ruled out: `predicted 7.30 ± 0.20 ms, limit 5`."""
    _, high = predicted.interval
    spread = spread_text(predicted.value, high - predicted.value)
    return f"predicted {significant(predicted.value)} ± {spread} ms, limit {limit_ms:.3g}"
