"""What is predicted to be too slow beyond doubt is not built; all else is measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from objectives.timing.latency_model import Prediction
from search.latency.predictor import MIN_MEASURED, Fit, LatencyPredictor, PredictRatios, fit_of, too_slow_text
from search.latency.stored_latencies import best_entries
from search.store.base import Store
from search.store.entries import LatencyEntry, TargetEntry
from search.store.sql import open_store
from spaces.allocation.uniform import uniform
from spaces.networks.cost_formula import CostFormula
from spaces.structure.shape import Shape
from tests.objectives.networks import half_width_parent
from tests.search.latency.test_local import TARGET
from tests.search.store.contract_latencies import LATENCY

REFERENCE_MS, MS_A_CHANNEL, SD_MS = 10.0, 0.1, 0.1


@dataclass
class Teacher:
    """A fit that remembers what it was given; it predicts 0.1 ms a channel, give or take 0.1 ms."""

    given: list[tuple[LatencyEntry, ...]] = field(default_factory=list)

    def fit(self, entries: Sequence[LatencyEntry]) -> PredictRatios:
        self.given.append(tuple(entries))
        return lambda shapes: Prediction(
            np.array([MS_A_CHANNEL / REFERENCE_MS * shape.widths[0] for shape in shapes]),
            np.full(len(shapes), SD_MS / REFERENCE_MS),
        )


@pytest.fixture
def store() -> Iterator[Store]:
    opened = open_store("sqlite://")
    opened.add_target(TargetEntry(TARGET.key, {}, REFERENCE_MS))
    yield opened
    opened.close()


def shape_of(width: int, parent: str = "n-10") -> Shape:
    return Shape(parent, (width,), (), 96)


def entry_of(width: int, parent: str = "n-10", **changes: object) -> LatencyEntry:
    shape = shape_of(width, parent)
    measurement = replace(LATENCY, value=MS_A_CHANNEL * width, target=TARGET.key)
    measurement = replace(measurement, **changes)  # type: ignore[arg-type]  # field names, as replace() checks
    return LatencyEntry(shape.key, TARGET.key, measurement, shape=shape)


def predictor_of(store: Store, structure: str, fit: Fit) -> LatencyPredictor:
    return LatencyPredictor(store=store, target=TARGET, reference_ms=REFERENCE_MS, structure=structure, fit=fit)


def taught(store: Store, teacher: Teacher, count: int = MIN_MEASURED) -> LatencyPredictor:
    """A predictor that has seen networks of 1, 2, ... channels."""
    for width in range(1, count + 1):
        store.add_latency(entry_of(width))
    return predictor_of(store, "n-10", teacher.fit)


def test_what_is_over_the_limit_beyond_doubt_is_predicted_and_marked_as_such(store: Store) -> None:
    predicted = taught(store, Teacher()).too_slow(shape_of(73), 5.0)
    assert predicted is not None and predicted.predicted
    assert predicted.value == pytest.approx(7.3) and predicted.ratio == pytest.approx(0.73)
    assert (predicted.runs, predicted.target) == (0, TARGET.key)
    assert too_slow_text(predicted, 5.0) == "predicted 7.30 ± 0.20 ms, limit 5"


@pytest.mark.parametrize(("width", "ruled_out"), [(50, False), (52, False), (54, True), (60, True)])
def test_within_three_standard_deviations_of_the_limit_it_is_measured(
    store: Store, width: int, ruled_out: bool
) -> None:
    found = taught(store, Teacher()).too_slow(shape_of(width), 5.0)
    assert (found is not None) is ruled_out


def test_nothing_is_ruled_out_before_sixteen_are_measured(store: Store) -> None:
    teacher = Teacher()
    predictor = taught(store, teacher, MIN_MEASURED - 1)
    store.add_latency(entry_of(1))  # one that is known already
    store.add_latency(entry_of(90, parent="s-10"))
    store.add_latency(entry_of(91, predicted=True))
    assert predictor.too_slow(shape_of(100), 5.0) is None and teacher.given == []
    store.add_latency(entry_of(16))
    assert predictor.too_slow(shape_of(100), 5.0) is not None
    (given,) = teacher.given
    assert sorted(entry.measurement.value for entry in given) == pytest.approx([0.1 * n for n in range(1, 17)])


def test_a_shape_that_was_measured_needs_no_prediction(store: Store) -> None:
    predictor = taught(store, Teacher())
    assert predictor.too_slow(shape_of(99), 5.0) is not None
    store.add_latency(entry_of(99, value=4.0))
    assert predictor.too_slow(shape_of(99), 5.0) is None


def test_the_model_is_fitted_again_only_when_there_is_more_to_learn_from(store: Store) -> None:
    teacher = Teacher()
    predictor = taught(store, teacher)
    for width in (60, 70):
        predictor.too_slow(shape_of(width), 5.0)
    assert len(teacher.given) == 1
    store.add_latency(entry_of(20))
    predictor.too_slow(shape_of(70), 5.0)
    assert [len(given) for given in teacher.given] == [MIN_MEASURED, MIN_MEASURED + 1]


def test_of_several_measurements_the_newest_uncontended_one_is_learnt_from() -> None:
    entries = [
        entry_of(1, value=1.0, contended=True), entry_of(1, value=1.1, contended=True),
        entry_of(2, value=2.0, contended=False), entry_of(2, value=2.1, contended=True),
        entry_of(3, value=3.0, contended=True), entry_of(3, value=3.1, contended=False),
        entry_of(4, value=4.0, contended=False), entry_of(4, value=4.1, contended=None),
    ]  # fmt: skip
    assert [entry.measurement.value for entry in best_entries(entries, "n-10")] == [1.1, 2.0, 3.1, 4.1]


def test_the_model_of_a_structure_is_fitted_to_stored_latencies_and_predicts_other_shapes(store: Store) -> None:
    parent = half_width_parent(("a", "b"), imgsz=96)
    formula = CostFormula.of(parent)

    def uniformly(share: float) -> tuple[Shape, float]:
        """A shape, and its latency on a machine where half of the time goes with the FLOPs."""
        spec = uniform(parent, share, multiple=4)
        flops, whole = formula.costs((spec, parent.full_spec())).flops
        return Shape.of_spec(spec, 96), 4.0 + 4.0 * float(flops / whole)

    for percent in range(30, 30 + 4 * MIN_MEASURED, 4):
        shape, latency_ms = uniformly(percent / 100)
        measurement = replace(LATENCY, value=latency_ms, ratio=latency_ms / 10.0, target=TARGET.key)
        store.add_latency(LatencyEntry(f"{shape.key} {percent}", TARGET.key, measurement, shape=shape))
    predictor = predictor_of(store, parent.structure.key, fit_of(parent.structure))
    shape, latency_ms = uniformly(0.98)
    found = predictor.too_slow(shape, 2.0)
    assert found is not None and found.low is not None and found.high is not None
    assert found.value == pytest.approx(latency_ms, rel=0.08)  # the greatest error that the model is allowed
    assert found.low < found.value < found.high
    assert predictor.too_slow(shape, latency_ms) is None
