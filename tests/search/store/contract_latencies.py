"""Contract of stores: targets and latencies."""

from __future__ import annotations

from dataclasses import replace

import pytest

from objectives.base import Measurement
from search.store.base import Store, StudyEntry
from search.store.entries import LatencyEntry, TargetEntry
from spaces.structure.shape import Shape
from tests.search.store.examples import begin, record_of

LATENCY = Measurement("latency_ms", 5.0, "ms", 4.9, 5.2, 64, 0.4, "cpu", False)
QUIET: dict[str, object] = {"others_busy": 0.02, "mhz": None, "celsius": 41.5, "foreign": []}
ENTRY = LatencyEntry(
    "shape", "cpu", LATENCY, (5.0, 5.1, 4.9), Shape("n-10", (16, 9, 24), ("model.4.m.1",), 96),
    p50_ms=5.0, p90_ms=5.4, p99_ms=1 / 3, spread=0.02, reference_ms=12.75, other_ratio=0.41, circumstances=QUIET,
    blocks={"reference": [[0.1, 1 / 3], []], "network": [[0.1 + 0.2]], "cpu_seconds": 1.5},
)  # fmt: skip


def as_stored(entry: LatencyEntry | None) -> LatencyEntry | None:
    """Without the moment, which the database's clock gave it."""
    return None if entry is None else replace(entry, at=None)


class LatencyContract:
    def test_a_targets_reference_is_frozen_by_the_first(self, store: Store) -> None:
        assert store.target("cpu") is None
        entry = TargetEntry("cpu", {"runtime": "onnxruntime", "threads": 1}, 12.5, True, QUIET)
        assert store.add_target(entry) == entry
        assert store.add_target(TargetEntry("cpu", {}, 99.0)) == entry == store.target("cpu")
        assert store.add_target(TargetEntry("gpu", {}, 99.0)) == store.target("gpu")  # circumstances unknown

    def test_a_latency_comes_back_with_all_that_was_seen(self, store: Store) -> None:
        store.add_latency(ENTRY)
        (stored,) = store.latencies("cpu", blocks=True)
        assert as_stored(stored) == ENTRY
        assert stored.at is not None and stored.at.utcoffset() is not None
        assert as_stored(store.latency("shape", "cpu")) == replace(ENTRY, blocks=None)  # read only where asked for

    def test_a_latency_of_which_only_the_figure_is_known_is_kept_too(self, store: Store) -> None:
        store.add_latency(LatencyEntry("shape", "cpu", LATENCY))
        assert as_stored(store.latency("shape", "cpu")) == LatencyEntry("shape", "cpu", LATENCY)

    def test_a_latency_belongs_to_shape_and_target(self, store: Store) -> None:
        store.add_latency(ENTRY)
        store.add_latency(replace(ENTRY, target_key="gpu"))
        assert store.latency("another shape", "cpu") is None
        assert [len(store.latencies(target)) for target in ("cpu", "gpu", "npu")] == [1, 1, 0]
        assert [store.latency_count(target) for target in ("cpu", "gpu", "npu")] == [1, 1, 0]

    def test_the_newest_that_was_measured_in_peace_counts(self, store: Store) -> None:
        def add(value: float, **changes: object) -> Measurement:
            measurement = replace(LATENCY, value=value, **changes)  # type: ignore[arg-type]
            store.add_latency(replace(ENTRY, measurement=measurement))
            return measurement

        def counts() -> Measurement | None:
            found = store.latency("shape", "cpu")
            return None if found is None else found.measurement

        add(4.0, predicted=True)
        assert counts() is None  # a prediction is no measurement
        assert add(5.5, contended=True) == counts()
        assert add(5.4, contended=True) == counts()
        quiet = add(5.0, contended=False)
        assert quiet == counts()
        add(5.6, contended=True)
        add(4.1, predicted=True)
        assert quiet == counts()
        assert add(5.1, contended=None) == counts()  # unknown, as on a machine that does not tell
        assert [each.measurement.value for each in store.latencies("cpu")] == [4.0, 5.5, 5.4, 5.0, 5.6, 4.1, 5.1]

    def test_a_records_prediction_is_not_taken_for_a_measurement(self, store: Store, study: StudyEntry) -> None:
        predicted = replace(LATENCY, predicted=True, runs=0)
        record = record_of(0, measurements=(predicted,))
        store.add(study, record, begin(store, study, 0))
        assert store.records(study)[0].measurements == (predicted,)

    @pytest.mark.parametrize("name", ["p99_ms", "spread", "reference_ms", "other_ratio"])
    def test_a_figure_that_is_not_finite_is_refused(self, store: Store, name: str) -> None:
        with pytest.raises(ValueError, match="finite"):
            store.add_latency(replace(ENTRY, **{name: float("nan")}))  # type: ignore[arg-type]
        assert store.latencies("cpu") == ()
