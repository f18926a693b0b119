"""Confusion matrix of a network on one split, counted by Ultralytics' own class from the detections of `yolo val`."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import spaces.offline  # noqa: F401  (before ultralytics)
from objectives.data.dataset import Dataset
from objectives.training.detections import Detections, detect
from spaces.base import Candidate

from ultralytics.utils.metrics import ConfusionMatrix

_CLASSIFICATION = "classify"
"""Ultralytics' name of matrices without a row and a column for what has no partner."""


class _ChosenConfusion(ConfusionMatrix):  # type: ignore[misc]  # Ultralytics has no types
    """Ultralytics' matrix at a chosen confidence and overlap; its validator would count detections from 0.001 on."""

    def __init__(self, classes: tuple[str, ...], confidence: float, iou: float) -> None:
        super().__init__(names=dict(enumerate(classes)))
        self._chosen = (confidence, iou)

    def process_batch(self, detections: Any, batch: Any, conf: float = 0.0, iou_thres: float = 0.0) -> None:
        """Count the detections of one image; see `ConfusionMatrix.process_batch`."""
        super().process_batch(detections, batch, *self._chosen)


def confusion_matrix(
    candidate: Candidate,
    data: Dataset,
    split: str,
    *,
    batch: int = 16,
    device: str = "cpu",
    confidence: float = 0.5,
    iou: float = 0.5,
) -> NDArray[np.int64]:
    """Return how often objects of each class were found as which class.

    Args:
        candidate: Not modified; its copy is fused and runs in float32.
        confidence: Minimum confidence of the detections that count; a classifier's most probable class always counts.
        iou: Minimum overlap of a detection and its label. Without respect to the class, each label takes part in one
            pair at most, and so does each detection; the most confident detection chooses first.

    Returns:
        Shape (n + 1, n + 1) for n classes: [found as, labelled]. The last row counts labels that were not found, the
        last column detections where nothing is labelled. Shape (n, n) for classifiers, which have neither.

    Raises:
        CandidateError: If the network gives NaN or infinite outputs, or memory runs out.
        SpaceError: If the data set has no such split, or the classes are not the network's.
    """
    counted: Any = _ChosenConfusion(tuple(data.classes), confidence, iou)
    if data.task.finds_boxes:
        detect(candidate, data, split, batch=batch, device=device, iou=iou, matrix=counted)
    else:
        counted = ConfusionMatrix(names=dict(enumerate(data.classes)), task=_CLASSIFICATION)
        _count_classes(counted, detect(candidate, data, split, batch=batch, device=device))
    return np.asarray(counted.matrix, dtype=np.int64)


def _count_classes(counted: Any, found: Detections) -> None:
    """Count the most probable class of each image."""
    most_probable = found.confidence.reshape(found.images, -1).argmax(1)
    counted.process_cls_preds([torch.from_numpy(most_probable)[:, None]], [torch.from_numpy(found.labelled).long()])
