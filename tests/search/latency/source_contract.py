"""Promises of every source of latencies. A test of a source subclasses this and provides the source and a network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace

import pytest

from search.latency.source import LatencySource
from search.latency.stored_latencies import stored_key
from search.store.base import Store
from spaces.base import Candidate
from spaces.networks.parent import Parent
from spaces.structure.shape import Shape
from tests.objectives.networks import state_of, unchanged


def of_width(parent: Parent, share: float, *, first: bool = True) -> Candidate:
    """A network that keeps a share of each group's channels: the first ones, or the last ones."""
    counts = [max(1, round(share * group.width)) for group in parent.groups]
    widths = [group.width for group in parent.groups]
    kept = [range(count) if first else range(width - count, width) for count, width in zip(counts, widths, strict=True)]
    return replace(parent.build(parent.structure.spec(tuple(map(tuple, kept)), ())), imgsz=parent.imgsz)


class LatencySourceContract(ABC):
    """Promises of `LatencySource`, as tests."""

    @pytest.fixture
    @abstractmethod
    def source(self, store: Store, parent: Parent) -> LatencySource:
        """The source under test."""

    @pytest.fixture
    def share(self) -> float:
        """Share of its channels that the tested network keeps."""
        return 0.5

    @pytest.fixture
    def network(self, parent: Parent, share: float) -> Candidate:
        return of_width(parent, share)

    def test_the_reference_is_frozen_once_and_stored(self, source: LatencySource, store: Store) -> None:
        frozen_ms = source.freeze_reference()
        assert frozen_ms > 0.0
        assert source.freeze_reference() == source.reference_ms == frozen_ms
        entry = store.target(source.target.key)
        assert entry is not None
        assert entry.reference_ms == frozen_ms

    def test_a_latency_has_the_sources_name_and_target(self, source: LatencySource, network: Candidate) -> None:
        latency = source.latency(network)
        assert (latency.name, latency.target, latency.unit) == (source.name, source.target.key, "ms")
        assert latency.ratio is not None
        assert latency.value == pytest.approx(latency.ratio * source.reference_ms)

    def test_a_shape_has_one_latency_whichever_channels_it_keeps(
        self, source: LatencySource, parent: Parent, share: float
    ) -> None:
        assert source.latency(of_width(parent, share)) == source.latency(of_width(parent, share, first=False))

    def test_the_network_is_not_changed(self, source: LatencySource, network: Candidate) -> None:
        before = state_of(network.network)
        source.latency(network, limit_ms=1e3)
        assert unchanged(network.network, before)

    def test_measured_latencies_are_stored_and_predicted_ones_are_not(
        self, source: LatencySource, store: Store, network: Candidate
    ) -> None:
        latency = source.latency(network)
        entry = store.latency(stored_key(Shape.of(network), source.target), source.target.key)
        assert (entry is None) is latency.predicted
        assert (latency.runs == 0) is latency.predicted

    def test_its_predictor_has_its_target_and_reference(
        self, source: LatencySource, parent: Parent, network: Candidate
    ) -> None:
        source.latency(network)
        predictor = source.predictor_of(parent.structure)
        assert (predictor.target, predictor.reference_ms) == (source.target, source.reference_ms)
        found = predictor.predict(Shape.of(network))
        assert found is not None
        assert predictor.measurement(found).predicted

    def test_nothing_is_measured_again_if_nothing_was_contended(self, source: LatencySource, parent: Parent) -> None:
        assert not source.remeasure_contended("another structure", lambda shape: of_width(parent, 0.5))
