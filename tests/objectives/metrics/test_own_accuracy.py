"""The own accuracies of tasks keep the promises of an objective, and are averaged of the task's own matches."""

from __future__ import annotations

import numpy as np
import pytest

from objectives.metrics.own_accuracy import ClassAccuracy, MaskAccuracy, PoseAccuracy
from objectives.training.accuracy import own_average_precision
from objectives.training.detections import Detections
from tests.objectives.metrics.objective_contract import AfterTrainingContract


class TestMaskAccuracy(AfterTrainingContract):
    @pytest.fixture
    def objective(self) -> MaskAccuracy:
        return MaskAccuracy()


class TestPoseAccuracy(AfterTrainingContract):
    @pytest.fixture
    def objective(self) -> PoseAccuracy:
        return PoseAccuracy()


class TestClassAccuracy(AfterTrainingContract):
    @pytest.fixture
    def objective(self) -> ClassAccuracy:
        return ClassAccuracy()


def test_masks_count_and_not_boxes() -> None:
    classes, right = np.arange(3.0), np.ones((3, 11), dtype=bool)
    own = right.copy()
    own[:, 6:] = False  # no mask fits from an overlap of 0.75 on
    found = Detections(1, right, np.full(3, 0.9), classes, classes, float("nan"), own=own)
    assert own_average_precision(found) == pytest.approx((0.5, 1.0), abs=0.006)  # of Ultralytics' curve
