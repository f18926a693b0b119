"""Detection accuracy of a candidate on one split, as `yolo val` measures it, and at a chosen confidence.

`objectives.training.detections` finds the detections, and Ultralytics' metrics average them. The mAP equals that of
`yolo val` on the same weights, and for an original YOLOv5 that of its `val.py`.

Means (precision, recall, F1, mAP) are over the classes that have labels in the split, as in Ultralytics.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import nn

import spaces.offline  # noqa: F401  (before ultralytics)
from objectives.base import Curves, Evaluation
from objectives.data.dataset import Dataset
from objectives.training.detections import Detections, detect, detect_in_training
from objectives.training.original_metrics import average_precision
from spaces.base import Candidate, CandidateError, SpaceError

from ultralytics.utils.metrics import ap_per_class, smooth

_CURVE_POINTS = 101
_LOWEST_IOU, _IOU_STEP = 0.50, 0.05
"""mAP is the mean over matching IoU 0.50, 0.55, ... 0.95."""


class Score(NamedTuple):
    """Scores that a trainer needs after an epoch. `loss` sums all terms, mean over batches; nan if not requested."""

    map50_95: float
    map50: float
    loss: float


def evaluate(
    candidate: Candidate,
    data: Dataset,
    split: str,
    *,
    batch: int = 16,
    device: str = "cpu",
    confidence: float = 0.5,
    iou: float = 0.5,
) -> Evaluation:
    """Measure a candidate's accuracy on one split.

    The mAP equals that of `yolo val` at the candidate's image size; so do the figures at the best F1 if `iou` is 0.5.
    The best F1 is taken where Ultralytics takes it: at the maximum of the smoothed curve of the mean F1, so that one
    lucky detection does not decide the confidence.

    Args:
        candidate: Not modified; its copy is fused and runs in float32.
        batch: Number of images that are padded to one rectangle; the default is that of `yolo val`. If images are not
            square, another batch size gives slightly different figures.
        confidence: Minimum confidence of the detections that count in `precision`, `recall` and `f1`. A class
            without detections has precision 0.
        iou: Minimum overlap of a detection and its label, for precision, recall and F1. mAP always takes 0.50 to 0.95.

    Raises:
        CandidateError: If the network gives NaN or infinite outputs, or memory runs out.
        SpaceError: If the data set has no such split, or the classes are not the network's.
    """
    if not (0 <= confidence <= 1 and 0 < iou <= 1):
        raise SpaceError(f"confidence {confidence} must lie in [0, 1], iou {iou} in (0, 1]")
    found = detect(candidate, data, split, batch=batch, device=device, iou=iou)
    return evaluation_of(found, split, len(data.classes), confidence=confidence, iou=iou)


def evaluation_of(found: Detections, split: str, classes: int, *, confidence: float, iou: float) -> Evaluation:
    """Compute the accuracy from the detections of a split; see `evaluate`.

    Args:
        found: Detections, matched at `iou`.
        classes: Number of classes of the data set.
    """
    *_, best_p, best_r, best_f1, ap, present, p_curve, r_curve, f1_curve, grid, _ = _average(found)
    precision, recall, f1 = _at_confidence(found, present, confidence)
    best = int(smooth(f1_curve.mean(0), 0.1).argmax())
    points = np.linspace(0, len(grid) - 1, _CURVE_POINTS).round().astype(int)
    per_class = np.full(classes, -1.0)
    per_class[present] = ap[:, 1:].mean(1)
    return Evaluation(
        split=split,
        images=found.images,
        map50_95=float(ap[:, 1:].mean()),
        map50=float(ap[:, 1].mean()),
        precision=precision,
        recall=recall,
        f1=f1,
        confidence=confidence,
        iou=iou,
        best_f1=float(best_f1.mean()),
        best_f1_confidence=float(grid[best]),
        precision_at_best_f1=float(best_p.mean()),
        recall_at_best_f1=float(best_r.mean()),
        ap_per_class=tuple(per_class.tolist()),
        curves=Curves(*(tuple(line[points].tolist()) for line in (grid, *_means(p_curve, r_curve, f1_curve)))),
    )


def mean_average_precision(found: Detections) -> float:
    """Return mAP50-95."""
    return float(_average(found)[5][:, 1:].mean())


def own_average_precision(found: Detections) -> tuple[float, float]:
    """Return the task's own mAP50-95 and mAP50: of masks, of keypoints; those of boxes where the task has no other."""
    own = found.matched if found.own is None else found.own
    ap = ap_per_class(own, found.confidence, found.predicted, found.labelled)[5]
    return float(ap[:, 1:].mean()), float(ap[:, 1].mean())


def map_at_iou(found: Detections, iou: float) -> float:
    """Return the mAP at one matching IoU.

    Args:
        iou: 0.50, 0.55, ... 0.95.
    """
    ap = _average(found)[5]  # (classes, 11): the requested IoU first
    return float(ap[:, 1 + round((iou - _LOWEST_IOU) / _IOU_STEP)].mean())


def score(
    network: nn.Module,
    data: Dataset,
    split: str,
    *,
    imgsz: int,
    batch: int = 16,
    device: str = "cpu",
    loss: bool = False,
) -> Score:
    """Return the mAP of a network in training. Cheaper than `evaluate`: the network is not fused.

    Args:
        network: An Ultralytics `DetectionModel`. Not modified; a copy runs in evaluation mode.
        loss: Whether the loss on the split is computed too. Its gains are the network's `args`, or Ultralytics'
            defaults.

    Raises:
        CandidateError: If outputs or loss are NaN or infinite, or memory runs out.
    """
    found = detect_in_training(network, data, split, imgsz=imgsz, batch=batch, device=device, loss=loss)
    if loss and not math.isfinite(found.loss):
        raise CandidateError(f"the loss on '{split}' is {found.loss}")
    ap = _average(found)[5]
    return Score(float(ap[:, 1:].mean()), float(ap[:, 1].mean()), found.loss)


def _average(found: Detections) -> tuple[Any, ...]:
    """Return Ultralytics' averages; its curves take the first column of matches, which is the requested IoU.

    The average precision of an original YOLOv5, at index 5, is that of its `val.py`.
    """
    columns = (found.matched, found.confidence, found.predicted, found.labelled)
    averages = tuple(ap_per_class(*columns))
    return (*averages[:5], average_precision(*columns), *averages[6:]) if found.original else averages


def _means(*curves: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    return [curve.mean(0) for curve in curves]


def _at_confidence(found: Detections, classes: NDArray[np.int64], confidence: float) -> tuple[float, float, float]:
    """Return precision, recall and F1 by counting, each the mean over classes."""
    kept = found.confidence >= confidence
    rows = []
    for number in classes:
        right = int((found.matched[:, 0] & kept & (found.predicted == number)).sum())
        detections = int((kept & (found.predicted == number)).sum())
        labels = int((found.labelled == number).sum())
        # F1 is the harmonic mean of right / detections and right / labels
        rows.append((right / max(detections, 1), right / labels, 2 * right / (detections + labels)))
    precision, recall, f1 = np.array(rows).mean(0).tolist()
    return precision, recall, f1
