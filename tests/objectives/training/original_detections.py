"""Detections and labels of some images that follow from a formula, and what the original YOLOv5 finds right of them.

`python -m tests.objectives.training.original_detections` writes `original_metrics.json` with the original code: the
package `yolov5` 7.0.14 of PyPI, which is no dependency of the tests (see tests/spaces/anchors/small_yolov5.py).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

STORED = Path(__file__).with_name("original_metrics.json")
IMAGES, CLASSES = 12, 3
THRESHOLDS = torch.linspace(0.5, 0.95, 10)


@dataclass(frozen=True)
class Image:
    """Labels `(M, 5)`, class and corners in px; detections `(N, 6)`, corners, confidence and class, best first."""

    labels: Tensor
    detections: Tensor


def images() -> list[Image]:
    """Return images in which labels of a class overlap, and detections lie between them; the last has no label."""
    generator = torch.Generator().manual_seed(5)
    found = []
    for number in range(IMAGES):
        corner = torch.rand(4 + number % 3, 2, generator=generator) * 40
        side = 30 + torch.rand(len(corner), 2, generator=generator) * 20
        classes = torch.randint(0, CLASSES - 1, (len(corner), 1), generator=generator).float()
        labels = torch.cat((classes, corner, corner + side), 1)
        near = labels[torch.randint(0, len(labels), (14,), generator=generator)]
        boxes = near[:, 1:] + torch.randn(len(near), 4, generator=generator) * 2.5
        wrong = (torch.rand(len(near), 1, generator=generator) < 0.15).float()
        confidence = torch.rand(len(near), 1, generator=generator).sort(0, descending=True).values
        detections = torch.cat((boxes, confidence, (near[:, :1] + wrong) % CLASSES), 1)
        found.append(Image(labels[:0] if number == IMAGES - 1 else labels, detections))
    return found


def _write() -> None:
    import numpy as np
    from yolov5.utils.metrics import ap_per_class
    from yolov5.val import process_batch

    rows = []
    for image in images():
        matched = torch.zeros(len(image.detections), len(THRESHOLDS), dtype=torch.bool)
        if len(image.labels):
            matched = process_batch(image.detections, image.labels, THRESHOLDS)
        rows.append((matched, image.detections[:, 4], image.detections[:, 5], image.labels[:, 0]))
    columns = [torch.cat(column).numpy() for column in zip(*rows, strict=True)]
    *_, precision, _ = ap_per_class(*columns, names={number: str(number) for number in range(CLASSES)})
    right = [np.flatnonzero(column).tolist() for column in columns[0].T]
    STORED.write_text(json.dumps({"right": right, "precision": precision.tolist()}) + "\n", encoding="utf-8")


if __name__ == "__main__":
    _write()
