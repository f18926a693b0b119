"""Which candidates are too slow beyond doubt, before they are built: predicted from what was measured on the target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from objectives.base import Measurement
from objectives.device.target import Target
from search.latency.local import stored_key
from search.record.latency_text import LATENCY
from search.record.number_text import significant, spread_text
from search.store.base import Store
from search.store.entries import LatencyEntry
from spaces.structure.shape import Shape
from spaces.structure.structure import Structure

LEAST_MEASURED = 16
"""Shapes that must have been measured before anything is ruled out by a prediction."""
SURE_SD = 3.0
"""A candidate is too slow beyond doubt if its limit lies so many standard deviations below its prediction."""
SD_OF_INTERVAL = 1.96  # half a 95 % interval


class Predicted(NamedTuple):
    """A predicted latency in ms, and the standard deviation of its error."""

    mean_ms: float
    sd_ms: float


Predict = Callable[[Shape], Predicted]
Fit = Callable[[Sequence[LatencyEntry]], Predict]
"""From measured latencies of one structure on one target, one entry a shape, to a prediction for any shape of it."""


def fit_of(structure: Structure) -> Fit:
    """The way to fit `LatencyModel` to stored measurements, each of which has its ratio to the reference."""
    from objectives.timing.latency_model import LatencyModel, Observation  # scipy: only where something is predicted

    def fit(entries: Sequence[LatencyEntry]) -> Predict:
        known = [(each.shape, each.measurement.ratio) for each in entries]
        usual_px = Counter(shape.imgsz for shape, _ in known if shape is not None).most_common(1)[0][0]
        observed = [Observation(shape, ratio) for shape, ratio in known if shape is not None and ratio is not None]
        fitted = LatencyModel(structure, usual_px).fit(observed)
        measurement = entries[0].measurement
        reference_ms = measurement.value / (measurement.ratio or 1.0)  # frozen: the same in all of them

        def predict(shape: Shape) -> Predicted:
            found = fitted.predict([shape])
            return Predicted(float(found.mean[0]) * reference_ms, float(found.sd[0]) * reference_ms)

        return predict

    return fit


class Keeper(Protocol):
    """What knows the latencies of one target: see `search.latency.local`."""

    store: Store

    @property
    def target(self) -> Target:
        """Where it is measured."""

    @property
    def reference_ms(self) -> float:
        """The frozen time of the reference."""


@dataclass
class Forecaster:
    """Predicts latencies of one structure on one target; fitted anew when there is more to learn from.

    Attributes:
        structure: Key of the parent's structure: others say nothing of its layers.
    """

    keeper: Keeper
    structure: str
    fit: Fit
    _fitted: tuple[int, Predict] | None = field(default=None, repr=False)

    def too_slow(self, shape: Shape, limit_ms: float) -> Measurement | None:
        """The predicted latency if it is over the limit beyond doubt; None where it has to be measured, or was."""
        target, store = self.keeper.target, self.keeper.store
        if store.latency(stored_key(shape, target), target.key) is not None:
            return None
        predict = self._predict(store)
        if predict is None:
            return None
        found = predict(shape)
        if found.mean_ms - SURE_SD * found.sd_ms <= limit_ms:
            return None
        return as_measurement(found, target, self.keeper.reference_ms)

    def _predict(self, store: Store) -> Predict | None:
        entries = store.latencies(self.keeper.target.key)
        known = measured(entries, self.structure)
        if len(known) < LEAST_MEASURED:
            return None
        if self._fitted is None or self._fitted[0] != len(entries):
            self._fitted = len(entries), self.fit(known)
        return self._fitted[1]


def forecaster_of(keeper: Keeper, structure: Structure) -> Forecaster:
    """Predicts the networks of one structure on a target."""
    return Forecaster(keeper, structure.key, fit_of(structure))


def as_measurement(found: Predicted, target: Target, reference_ms: float, name: str = LATENCY) -> Measurement:
    """A predicted latency as it stands in records: with its 95 % error bar, and marked as predicted."""
    reach_ms = SD_OF_INTERVAL * found.sd_ms
    return Measurement(
        name,
        found.mean_ms,
        unit="ms",
        low=found.mean_ms - reach_ms,
        high=found.mean_ms + reach_ms,
        runs=0,
        ratio=found.mean_ms / reference_ms,
        target=target.key,
        predicted=True,
    )


def measured(entries: Sequence[LatencyEntry], structure: str) -> tuple[LatencyEntry, ...]:
    """For each shape of a structure the measurement that counts: the newest in peace, else the newest.

    Args:
        entries: Of one target, oldest first.
    """
    found: dict[str, LatencyEntry] = {}
    for entry in entries:
        if entry.measurement.predicted or entry.shape is None or entry.shape.parent != structure:
            continue
        before = found.get(entry.shape_key)
        if before is None or before.measurement.contended or not entry.measurement.contended:
            found[entry.shape_key] = entry
    return tuple(found.values())


def in_words(predicted: Measurement, limit_ms: float) -> str:
    """Why a candidate is ruled out: `predicted 7.30 ± 0.20 ms, limit 5`."""
    _, high = predicted.interval
    spread = spread_text(predicted.value, high - predicted.value)
    return f"predicted {significant(predicted.value)} ± {spread} ms, limit {limit_ms:.3g}"
