"""Boxes that a network finds on single images, and those that the images are labelled with, for people to look at."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import spaces.offline  # noqa: F401  (before ultralytics)
from objectives.data.dataset import Dataset
from objectives.data.loader import detection_dataset
from spaces.anchors.anchor_head import class_scores, is_anchor_head
from spaces.base import Candidate

from ultralytics.utils.nms import non_max_suppression

NMS_IOU = 0.7
"""Overlap above which the less confident box of a class is dropped, as in `yolo val`."""


@dataclass(frozen=True)
class Box:
    """A box on a picture.

    Attributes:
        label: Number of its class.
        left: Left edge, as a share of the picture's width; `top`, `right` and `bottom` likewise.
        confidence: Confidence of the network; 1 for a label.
        turned: Angle in degrees, clockwise, by which an oriented box is turned around its middle; the edges are those
            before that.
    """

    label: int
    left: float
    top: float
    right: float
    bottom: float
    confidence: float = 1.0
    turned: float = 0.0


@dataclass(frozen=True)
class LabelledPicture:
    """A picture of a data set: pixels (height, width, 3) in RGB without a margin, and its labels."""

    pixels: NDArray[np.uint8]
    boxes: tuple[Box, ...]


def labelled_pictures(data: Dataset, imgsz: int, most: int, split: str = "val") -> list[LabelledPicture]:
    """Return up to `most` pictures of a split, evenly spread, at the size that a network of `imgsz` sees them."""
    pictures = []
    for item in _items(data, imgsz, most, split):
        pixels, margin = item["img"].numpy(), _margin(item)
        rows, classes = item["bboxes"].numpy(), item["cls"].numpy().reshape(-1)  # (N, 4), with the angle (N, 5)
        corners = _corners(rows[:, :4] * imgsz)
        angles = rows[:, 4] if rows.shape[1] > 4 else np.zeros(len(rows))
        inside = pixels[:, round(margin[1]) : imgsz - round(margin[1]), round(margin[0]) : imgsz - round(margin[0])]
        boxes = tuple(
            _box(int(label), edges, 1.0, imgsz, margin, angle)
            for label, edges, angle in zip(classes, corners, angles, strict=True)
        )
        pictures.append(LabelledPicture(np.ascontiguousarray(inside.transpose(1, 2, 0)), boxes))
    return pictures


def detected_boxes(
    candidate: Candidate, data: Dataset, most: int, *, split: str = "val", least: float = 0.1
) -> list[tuple[Box, ...]]:
    """Return what a network finds on the pictures that `labelled_pictures` returns, the most confident first.

    Args:
        candidate: Not modified; a fused copy runs on the CPU.
        least: Minimum confidence.
    """
    network: Any = copy.deepcopy(candidate.network).float().cpu()
    network.end2end = False  # as in `yolo val`: v10 and 26 are shown with NMS
    network = network.eval().fuse(verbose=False)
    found = []
    for item in _items(data, candidate.imgsz, most, split):
        with torch.inference_mode():
            outputs = network(item["img"][None].float() / 255)
        decoded = outputs[0] if isinstance(outputs, tuple | list) else outputs
        scores = class_scores(decoded) if is_anchor_head(network) else decoded
        kept = non_max_suppression(
            scores,
            least,
            NMS_IOU,
            nc=len(candidate.classes),
            max_time_img=math.inf,
            rotated=data.task.rotated,
        )[0].numpy()
        edges = _corners(kept[:, :4]) if data.task.rotated else kept[:, :4]
        angles = kept[:, 6] if data.task.rotated else np.zeros(len(kept))
        margin = _margin(item)
        found.append(
            tuple(
                _box(int(row[5]), place, float(row[4]), candidate.imgsz, margin, angle)
                for row, place, angle in zip(kept, edges, angles, strict=True)
            )
        )
    return found


def _items(data: Dataset, imgsz: int, most: int, split: str) -> Iterator[dict[str, Any]]:
    images = detection_dataset(data, split, imgsz=imgsz, batch=1, augment=None, rect=False)
    for index in np.unique(np.linspace(0, len(images) - 1, most).round().astype(int)):
        yield images[int(index)]


def _margin(item: dict[str, Any]) -> tuple[float, float]:
    """Return the width of the grey margin at the left and at the top, in px."""
    left, top = item["ratio_pad"][1]
    return float(left), float(top)


def _corners(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return left, top, right and bottom of boxes that are given by their middles and sizes, (N, 4)."""
    half = boxes[:, 2:] / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], 1)


def _box(
    label: int, edges: Sequence[float], confidence: float, imgsz: int, margin: tuple[float, float], angle: float
) -> Box:
    """Return a box given in px of the image with its margin; a turned one may reach out of the picture before that.

    Args:
        angle: Angle in radians.
    """
    shares = [(float(place) - edge) / (imgsz - 2 * edge) for place, edge in zip(edges, margin * 2, strict=True)]
    left, top, right, bottom = shares if angle else (min(max(share, 0.0), 1.0) for share in shares)
    return Box(label, left, top, right, bottom, confidence, math.degrees(float(angle)))
