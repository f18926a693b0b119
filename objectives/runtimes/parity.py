"""Comparison of an exported ONNX file with its network, on real images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from objectives.runtimes.base import Array
from objectives.runtimes.ort import open_session
from spaces.anchors.anchor_head import is_anchor_head
from spaces.base import Candidate, CandidateError
from spaces.networks.deployed import decoded_outputs, deployed

SCORE_TOLERANCE = 1e-3
"""Tolerance of scores in [0, 1]: float32 sums in another order differ by about 1e-5, a wrong export by 0.1 and more."""

BOX_TOLERANCE_PX = 0.05
"""Tolerance of box coordinates: float32 differs by up to 0.01 px on 640 px images."""

VISIBLE = 0.01
"""Score below which detections of end-to-end models are noise in random order."""


@dataclass(frozen=True)
class Parity:
    """Greatest differences between ONNX and torch."""

    images: int
    score: float
    box_px: float

    @property
    def holds(self) -> bool:
        """True if both are within tolerance."""
        return self.score <= SCORE_TOLERANCE and self.box_px <= BOX_TOLERANCE_PX

    def __str__(self) -> str:
        return (
            f"on {self.images} images scores differ by at most {self.score:.1g} (tolerance {SCORE_TOLERANCE:g}), "
            f"boxes by {self.box_px:.1g} px (tolerance {BOX_TOLERANCE_PX:g})"
        )


def check_parity(candidate: Candidate, onnx_file: Path, images: Iterable[Array]) -> Parity:
    """Run the candidate and its exported file on the same images.

    Args:
        candidate: Not modified.
        onnx_file: File exported from the candidate, for one image or a batch.
        images: Images (3, H, W), float32 in [0, 1], of the exported size.

    Raises:
        CandidateError: If they differ by more than the tolerance.
    """
    network, session = deployed(candidate), open_session(onnx_file)
    anchored = is_anchor_head(network)
    batch = session.get_inputs()[0].shape[0]
    count, score, box_px = 0, 0.0, 0.0
    for image in images:
        stacked = np.repeat(image[None], batch, axis=0)
        with torch.inference_mode():
            expected, *further = (each.numpy() for each in decoded_outputs(network(torch.from_numpy(stacked))))
        found, *found_further = session.run(None, {"images": stacked})
        score = max([score, *(_greatest(*pair) for pair in zip(further, found_further, strict=True))])
        if anchored and expected.shape == found.shape:  # (N, boxes, 5 + classes): scores last
            expected, found = expected.transpose(0, 2, 1), found.transpose(0, 2, 1)
        sets = bool(getattr(network, "end2end", False))
        difference = _differences(expected[0], found[0], len(candidate.classes), sets=sets)
        count, score, box_px = count + 1, max(score, difference[0]), max(box_px, difference[1])
    parity = Parity(count, score, box_px)
    if not parity.holds:
        raise CandidateError(
            f"the exported ONNX file disagrees with the network: {parity}; the export is wrong, please report it"
        )
    return parity


def _greatest(expected: Array, found: Array) -> float:
    if expected.shape != found.shape:
        raise CandidateError(f"the ONNX output has shape {found.shape}, the network's {expected.shape}")
    return float(np.abs(expected - found).max())


def _differences(expected: Array, found: Array, classes: int, *, sets: bool) -> tuple[float, float]:
    """Return the greatest differences of scores and of boxes in px, for one image.

    Mask coefficients, keypoints and angles count with the boxes.
    """
    greatest = _greatest(expected, found)
    if expected.ndim == 1:  # scores of the classes alone
        return greatest, 0.0
    if not sets:  # (4 + classes + further, anchors)
        change = np.abs(expected - found)
        return float(change[4 : 4 + classes].max()), float(np.delete(change, slice(4, 4 + classes), axis=0).max())
    return _differences_of_sets(expected, found)


def _differences_of_sets(expected: Array, found: Array) -> tuple[float, float]:
    """Return the differences of end-to-end outputs (detections, 6), whose equal scores may be in any order."""
    score = float(np.abs(np.sort(expected[:, 4]) - np.sort(found[:, 4])).max())
    box_px = 0.0
    for row in expected[expected[:, 4] > VISIBLE]:
        same = found[(found[:, 5] == row[5]) & (np.abs(found[:, 4] - row[4]) <= SCORE_TOLERANCE)]
        if not len(same):
            return float("inf"), float("inf")
        box_px = max(box_px, float(np.abs(same[:, :4] - row[:4]).max(axis=1).min()))
    return score, box_px
