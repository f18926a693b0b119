"""Accuracy of an exported file, measured on the file itself: quantisation to int8 can cost much of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from objectives.base import Evaluation
from objectives.data.dataset import Dataset
from objectives.runtimes.ort import open_session
from objectives.training.accuracy import evaluation_of
from objectives.training.detections import detect_exported
from spaces.anchors.anchor_head import is_anchor_head
from spaces.base import Candidate


class ExportedNetwork(nn.Module):
    """An ONNX file in place of a network; it runs on the CPU.

    Args:
        candidate: The network that it was exported from.
    """

    def __init__(self, file: Path, candidate: Candidate) -> None:
        super().__init__()
        network: Any = candidate.network
        self.session = open_session(file)
        self.batch = int(self.session.get_inputs()[0].shape[0])
        self.end2end = bool(getattr(network, "end2end", False))
        self.stride: Any = network.stride
        self.original = is_anchor_head(network)
        self.names: dict[int, str] = {}

    def forward(self, images: Tensor) -> Tensor:
        """Return the decoded output for images `(N, 3, H, W)` in [0, 1]; the last batch is filled up."""
        pixels = images.cpu().numpy()
        missing = -len(pixels) % self.batch
        filled = np.concatenate((pixels, np.repeat(pixels[-1:], missing, axis=0)))
        parts = [filled[begin : begin + self.batch] for begin in range(0, len(filled), self.batch)]
        outputs = [self.session.run(None, {"images": np.ascontiguousarray(part)})[0] for part in parts]
        return torch.from_numpy(np.concatenate(outputs)[: len(pixels)])


def evaluate_exported(
    file: Path, candidate: Candidate, data: Dataset, split: str, *, confidence: float, iou: float
) -> Evaluation:
    """Measure the accuracy of an exported ONNX file on one split.

    Images are padded to squares, because the file has one input size: where images are not square, its figures differ
    a little from those of `evaluate`.

    Args:
        candidate: The network that it was exported from.
        confidence: As for `evaluate`. `iou` too.

    Raises:
        CandidateError: If the file gives NaN or infinite outputs.
    """
    network = ExportedNetwork(file, candidate)
    found = detect_exported(network, data, split, imgsz=candidate.imgsz, batch=16, iou=iou)
    return evaluation_of(found, split, len(data.classes), confidence=confidence, iou=iou)
