"""Accuracy keeps the promises of an objective; its figures are tested in `tests/objectives/training/`."""

from __future__ import annotations

import pytest

from objectives.data.dataset import Dataset
from objectives.metrics.accuracy import Accuracy
from objectives.metrics.reloaded_network import ReloadedNetwork
from objectives.training.accuracy import evaluate
from tests.objectives.metrics.objective_contract import AfterTrainingContract
from tests.objectives.networks import candidate


class TestAccuracy(AfterTrainingContract):
    @pytest.fixture
    def objective(self) -> Accuracy:
        return Accuracy()

    def test_it_is_taken_at_the_thresholds_of_the_study(self, objective: Accuracy, digits: Dataset) -> None:
        network = ReloadedNetwork(candidate(width=0.125), digits, ("val",), confidence=0.25, iou=0.6)
        assert objective.measure(network) == (evaluate(network.candidate, digits, "val", confidence=0.25, iou=0.6),)
