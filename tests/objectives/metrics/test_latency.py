"""Latency keeps the promises of an objective; how it is timed is tested in `tests/objectives/timing/`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from objectives.base import Measurement
from objectives.metrics.latency import TargetLatency
from objectives.runtimes.catalogue import target_here
from objectives.timing.meter import LatencyMeter
from spaces.base import Candidate
from tests.objectives.metrics.objective_contract import BeforeTrainingContract
from tests.objectives.networks import candidate

REFERENCE_MS = 10.0


@pytest.mark.slow
class TestLatency(BeforeTrainingContract):
    @pytest.fixture(scope="class")
    @classmethod
    def meter(cls) -> Iterator[LatencyMeter]:
        with LatencyMeter(target_here(imgsz=96), candidate()) as running:
            yield running

    @pytest.fixture
    def objective(self, meter: LatencyMeter) -> TargetLatency:
        return TargetLatency(lambda network, limit_ms: meter.measure(network, REFERENCE_MS, limit_ms).measurement)

    def test_the_source_is_told_the_limit(self) -> None:
        told: list[float | None] = []

        def source(network: Candidate, limit_ms: float | None) -> Measurement:
            told.append(limit_ms)
            return Measurement("latency_ms", 4.0, "ms")

        TargetLatency(source, limit_ms=5.0).measure(candidate())
        TargetLatency(source).measure(candidate())
        assert told == [5.0, None]
