"""Accuracy of an exported file, measured on the file itself: quantisation to int8 can cost much of it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from objectives.base import Evaluation
from objectives.data.calibration import Calibration
from objectives.data.dataset import Dataset
from objectives.device.target import Target
from objectives.runtimes.base import Loaded, Runtime
from objectives.runtimes.catalogue import runtime_named
from objectives.runtimes.ort import OnnxRuntime
from objectives.training.accuracy import evaluation_of
from objectives.training.detections import Detections, detect_exported
from spaces.anchors.anchor_head import is_anchor_head
from spaces.base import Candidate

BATCH = 16
"""Number of images that are scored at once, as in `yolo val`."""


class ExportedNetwork(nn.Module):
    """A loaded file in place of a network.

    Args:
        batch: Number of images that the file takes per call.
        candidate: The network that it was exported from.
    """

    def __init__(self, loaded: Loaded, batch: int, candidate: Candidate) -> None:
        super().__init__()
        network: Any = candidate.network
        self.loaded, self.batch = loaded, batch
        self.end2end = bool(getattr(network, "end2end", False))
        self.stride: Any = network.stride
        self.original = is_anchor_head(network)
        self.names: dict[int, str] = {}

    def forward(self, images: Tensor) -> Tensor:
        """Return the decoded output for images `(N, 3, H, W)` in [0, 1]; the last batch is filled up.

        Values that are not finite, as where fp16 overflows, become 0: such a file finds nothing there.
        """
        pixels = images.cpu().numpy()
        missing = -len(pixels) % self.batch
        filled = np.concatenate((pixels, np.repeat(pixels[-1:], missing, axis=0)))
        parts = [filled[begin : begin + self.batch] for begin in range(0, len(filled), self.batch)]
        outputs = [self.loaded.predict(np.ascontiguousarray(part)) for part in parts]
        joined = torch.from_numpy(np.concatenate(outputs)[: len(pixels)])
        return torch.nan_to_num(joined, nan=0.0, posinf=0.0, neginf=0.0)


@dataclass(frozen=True)
class FileTarget:
    """A target whose file is scored, and what its export needs.

    Attributes:
        target: A target on this machine, or on another one: its file is then run by onnxruntime on this CPU.
        calibration: Images for the calibration of int8; None in other precisions.
    """

    target: Target
    calibration: Calibration | None = None

    def exported(self, candidate: Candidate) -> ExportedNetwork:
        """Export a network as it is timed, but without non-maximum suppression, and load the file.

        Args:
            candidate: Not modified.

        Raises:
            CandidateError: If it cannot be exported or loaded.
        """
        with tempfile.TemporaryDirectory(prefix="scored-") as folder:
            return self.load(self._export(candidate, Path(folder)), candidate)

    def write(self, candidate: Candidate, path: Path) -> None:
        """Export a network as `exported`, in place of a file. The folder of the file must exist."""
        with tempfile.TemporaryDirectory(prefix=".written-", dir=path.parent) as folder:
            self._export(candidate, Path(folder)).replace(path)

    def load(self, file: Path, candidate: Candidate) -> ExportedNetwork:
        """Load a file that was exported for this target.

        Raises:
            CandidateError: If it cannot be loaded.
        """
        target = replace(self.target, provider="cpu") if self.target.remote else self.target
        threads = torch.get_num_threads()
        try:
            return ExportedNetwork(self._runtime.load(file, target), self.target.batch, candidate)
        finally:
            torch.set_num_threads(threads)  # a runtime may change it for the whole process

    def _export(self, candidate: Candidate, folder: Path) -> Path:
        return self._runtime.export(candidate, folder, replace(self.target, nms=False), self.calibration)

    @property
    def _runtime(self) -> Runtime:
        return OnnxRuntime() if self.target.remote else runtime_named(self.target.runtime)


def detect_with_file(
    file: ExportedNetwork, candidate: Candidate, data: Dataset, split: str, *, iou: float
) -> Detections:
    """Find the detections of an exported file on one split.

    Images are padded to squares, because the file has one input size: where images are not square, its figures differ
    a little from those of the network.

    Args:
        candidate: The network that it was exported from.
        iou: As for `evaluate`.

    Raises:
        CandidateError: If memory runs out.
    """
    return detect_exported(file, data, split, imgsz=candidate.imgsz, batch=BATCH, iou=iou)


def evaluate_exported(
    file: ExportedNetwork, candidate: Candidate, data: Dataset, split: str, *, confidence: float, iou: float
) -> Evaluation:
    """Measure the accuracy of an exported file on one split; see `detect_with_file`."""
    found = detect_with_file(file, candidate, data, split, iou=iou)
    return evaluation_of(found, split, len(data.classes), confidence=confidence, iou=iou)
