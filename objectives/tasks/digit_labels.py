"""Labels of drawn digits for each task: boxes, outlines of strokes, centre and ends, and corners of turned boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class DrawnDigit:
    """A digit on a square scene, in px.

    Attributes:
        label: Its class.
        strokes: `(H, W)`: where there is ink; the upper left corner lies at `top`, `left`.
        corners: `(4, 2)`: x and y of the corners of its box, which may be turned.
        scene: Side of the scene.
    """

    label: int
    top: int
    left: int
    strokes: NDArray[np.bool_]
    corners: NDArray[np.float64]
    scene: int

    def row(self, numbers: Sequence[float]) -> str:
        """Return a label row of the class and numbers in px."""
        return " ".join([str(self.label), *(f"{number / self.scene:.6f}" for number in numbers)])


def box_row(digit: DrawnDigit) -> str:
    """Return class and box centre, width, height as shares of the scene."""
    height, width = digit.strokes.shape
    return digit.row([digit.left + width / 2, digit.top + height / 2, width, height])


def outline_row(digit: DrawnDigit) -> str:
    """Return class and outline of the largest stroke; its holes are filled."""
    import cv2

    padded = np.pad(digit.strokes.astype(np.uint8), 1)
    found, _ = cv2.findContours(padded, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    outline = max(found, key=cv2.contourArea).reshape(-1, 2)
    points = outline - 1 + 0.5 + np.array([digit.left, digit.top])  # the middle of each pixel
    return digit.row(points.ravel().tolist())


def keypoints_row(digit: DrawnDigit) -> str:
    """Return class, box, and three keypoints, all visible: centre of the ink, its upper end, its lower end."""
    ys, xs = np.nonzero(digit.strokes)
    highest, lowest = int(ys.min()), int(ys.max())
    points = [
        (xs.mean(), ys.mean()),
        (np.median(xs[ys == highest]), highest),
        (np.median(xs[ys == lowest]), lowest),
    ]
    placed = [((x + 0.5 + digit.left) / digit.scene, (y + 0.5 + digit.top) / digit.scene) for x, y in points]
    return " ".join([box_row(digit), *(f"{x:.6f} {y:.6f} 2" for x, y in placed)])


def corners_row(digit: DrawnDigit) -> str:
    """Return class and the corners of its box."""
    return digit.row(digit.corners.ravel().tolist())
