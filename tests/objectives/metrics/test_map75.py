"""mAP75 keeps the promises of an objective, and is the column of IoU 0.75."""

from __future__ import annotations

import numpy as np
import pytest

from objectives.data.dataset import Dataset
from objectives.metrics.map75 import Map75
from objectives.metrics.reloaded_network import ReloadedNetwork
from objectives.training.accuracy import map_at_iou
from objectives.training.detections import Detections
from tests.objectives.metrics.objective_contract import AfterTrainingContract
from tests.objectives.networks import candidate

IOUS = (0.5, *(0.5 + 0.05 * step for step in range(10)))  # the asked IoU, then those of mAP50-95


class TestMap75(AfterTrainingContract):
    @pytest.fixture
    def objective(self) -> Map75:
        return Map75()

    def test_it_has_a_name_for_each_split(self, objective: Map75, digits: Dataset) -> None:
        network = ReloadedNetwork(candidate(width=0.125), digits, ("val", "test"))
        assert [each.name for each in objective.measure(network)] == ["map75", "map75.test"]


@pytest.mark.parametrize(("overlap", "expected"), [(0.76, 1.0), (0.74, 0.0)])
def test_a_box_counts_if_it_overlaps_its_label_by_three_quarters(overlap: float, expected: float) -> None:
    assert map_at_iou(_one_box_a_class(overlap), 0.75) == pytest.approx(expected, abs=0.006)  # of Ultralytics' curve


def _one_box_a_class(overlap: float) -> Detections:
    classes = np.arange(3.0)
    matched = np.array([[overlap >= iou for iou in IOUS]] * len(classes))
    return Detections(1, matched, np.full(len(classes), 0.9), classes, classes, float("nan"))
