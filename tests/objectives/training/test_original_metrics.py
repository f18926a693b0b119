"""Matching and average precision are those of the original YOLOv5's `val.py`, on detections made by a formula."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch

from objectives.training.accuracy import map_at_iou
from objectives.training.detections import Detections
from objectives.training.original_metrics import average_precision, match_as_original
from tests.objectives.training.original_detections import STORED, THRESHOLDS, images

from ultralytics.utils.metrics import box_iou


def _columns() -> tuple[np.ndarray, ...]:
    rows = [
        (
            torch.from_numpy(
                match_as_original(
                    image.detections[:, 5],
                    image.labels[:, 0],
                    box_iou(image.labels[:, 1:], image.detections[:, :4]),
                    THRESHOLDS,
                )
            ),
            image.detections[:, 4],
            image.detections[:, 5],
            image.labels[:, 0],
        )
        for image in images()
    ]
    return tuple(torch.cat(column).numpy() for column in zip(*rows, strict=True))


def test_the_same_detections_are_right_as_in_the_original() -> None:
    stored = json.loads(STORED.read_text(encoding="utf-8"))
    assert [np.flatnonzero(column).tolist() for column in _columns()[0].T] == stored["right"]
    assert len(stored["right"][0]) > len(stored["right"][-1]) > 0


def test_precision_is_averaged_as_in_the_original() -> None:
    stored = np.array(json.loads(STORED.read_text(encoding="utf-8"))["precision"])
    columns = _columns()
    np.testing.assert_allclose(average_precision(*columns), stored, atol=1e-9)
    assert 0.1 < stored.mean() < 0.9
    matched = np.concatenate((columns[0][:, :1], columns[0]), 1)  # the requested IoU, 0.5, first
    _, confidence, predicted, labelled = columns
    today = Detections(12, matched, confidence, predicted, labelled, loss=float("nan"))
    original = dataclasses.replace(today, original=True)
    assert map_at_iou(original, 0.5) == pytest.approx(stored[:, 0].mean())
    assert map_at_iou(today, 0.5) < map_at_iou(original, 0.5) - 1e-4  # Ultralytics ends it at the highest recall
