"""Matching and average precision of the original YOLOv5's `val.py`, which differ a little from Ultralytics' of today.

Since 8.4 Ultralytics lets a detection whose label is taken have another label that overlaps it too, and ends the
precision at the highest recall that was reached. On one and the same file both change mAP50-95 by some 0.001.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

_RECALLS = np.linspace(0.0, 1.0, 101)
"""Recalls at which the precision is taken, as by COCO."""


def match_as_original(predicted: Tensor, labelled: Tensor, overlap: Tensor, thresholds: Tensor) -> NDArray[np.bool_]:
    """Return whether each detection is right at each matching IoU, `(N, T)`.

    At each threshold a detection belongs to the label of its class that it overlaps most, and a label to the most
    confident of its detections.

    Source: val.py, process_batch, of ultralytics/yolov5 v7.0.

    Args:
        predicted: Classes of N detections, in the order of their confidence.
        labelled: Classes of M labels.
        overlap: IoU of labels and detections, `(M, N)`.
        thresholds: `(T,)`.
    """
    same = (labelled[:, None] == predicted[None]).cpu().numpy()
    iou = np.where(same, overlap.cpu().numpy(), -1.0)
    right = np.zeros((len(predicted), len(thresholds)), bool)
    if not iou.size:
        return right
    owner, best = iou.argmax(0), iou.max(0)
    for column, threshold in enumerate(thresholds.tolist()):
        found = np.flatnonzero(best >= np.float32(threshold))
        _, first = np.unique(owner[found], return_index=True)
        right[found[first], column] = True
    return right


def average_precision(
    matched: NDArray[np.bool_],
    confidence: NDArray[np.float64],
    predicted: NDArray[np.float64],
    labelled: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the average precision of each class that has labels, at each of T matching IoUs: `(classes, T)`.

    Source: utils/metrics.py, ap_per_class and compute_ap, of ultralytics/yolov5 v7.0.

    Args:
        matched: `(N, T)`: whether each detection is right.
        confidence: `(N,)`.
        predicted: Class of each detection, `(N,)`.
        labelled: Class of each label, `(M,)`.
    """
    order = np.argsort(-confidence)
    matched, predicted = matched[order], predicted[order]
    classes, counts = np.unique(labelled, return_counts=True)
    found = np.zeros((len(classes), matched.shape[1]))
    for row, (number, labels) in enumerate(zip(classes, counts, strict=True)):
        own = matched[predicted == number]
        if len(own):
            right = own.cumsum(0)
            recall, precision = right / labels, right / np.arange(1, len(own) + 1)[:, None]
            found[row] = [_area(*curve) for curve in zip(recall.T, precision.T, strict=True)]
    return found


def _area(recall: NDArray[np.float64], precision: NDArray[np.float64]) -> float:
    """Return the area under the envelope of a curve, which falls in a straight line from its end to (1, 0)."""
    envelope = np.maximum.accumulate(np.concatenate(((1.0,), precision, (0.0,)))[::-1])[::-1]
    heights = np.interp(_RECALLS, np.concatenate(((0.0,), recall, (1.0,))), envelope)
    return float(sum((low + high) / 2 for low, high in pairwise(heights)) / (len(_RECALLS) - 1))
