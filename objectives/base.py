"""Values that are measured: never a bare number, but value, unit, dispersion, number of runs and target."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class Direction(StrEnum):
    """Direction in which an objective is better."""

    MAXIMIZE = "maximize"
    MINIMIZE = "minimize"


@dataclass(frozen=True)
class Measurement:
    """One measured quantity of one candidate.

    Attributes:
        name: Name of the quantity, with its unit where it has one: `latency_ms`, `flops_g`, `size_mib`.
        value: The figure that limits, fronts and tables use. Finite.
        unit: `ms`, `MiB`, `GFLOPs`, `1` for shares and scores.
        low: Lower end of the 95 % interval, in the same unit; None where the value is exact.
        high: Upper end of it.
        runs: Repetitions behind the value.
        ratio: value / the reference model's value, timed in turn with it; None where there is no reference.
        target: Key of the `objectives.device.target.Target` it holds on; None where it holds everywhere.
        contended: Whether other work was observed on the device; None where that does not matter.
        predicted: Whether a model predicted the value and nothing was timed; it is never taken for a measured one.
    """

    name: str
    value: float
    unit: str = "1"
    low: float | None = None
    high: float | None = None
    runs: int = 1
    ratio: float | None = None
    target: str | None = None
    contended: bool | None = None
    predicted: bool = False

    def __post_init__(self) -> None:
        for number in (self.value, self.low, self.high, self.ratio):
            if number is not None and not math.isfinite(number):
                raise ValueError(f"measurement '{self.name}' is {number}; only finite values are recorded")

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end of the 95 % interval.

        Raises:
            ValueError: If the value has no interval.
        """
        if self.low is None or self.high is None:
            raise ValueError(f"measurement '{self.name}' has no interval")
        return self.low, self.high


@dataclass(frozen=True)
class EpochResult:
    """One epoch of a trial's learning curve. Epochs count from 1; epoch 0 is after BatchNorm re-estimation.

    Both mAP are the task's own: of boxes, of masks, of keypoints.
    """

    epoch: int
    map50_95: float
    map50: float
    loss: float
    seconds: float


@dataclass(frozen=True)
class Curves:
    """P, R and F1 (mean over classes) against confidence; equal lengths, confidence ascending in [0, 1]."""

    confidence: tuple[float, ...]
    precision: tuple[float, ...]
    recall: tuple[float, ...]
    f1: tuple[float, ...]


@dataclass(frozen=True)
class Evaluation:
    """Accuracy on one split, of the network loaded from its saved file.

    mAP is the standard sweep from confidence 0.001; `precision`, `recall`, `f1` are at `confidence` and
    matching IoU `iou`, and the `*_at_best_f1` at the confidence of the best F1, all from the same predictions.
    """

    split: str
    images: int
    map50_95: float
    map50: float
    precision: float
    recall: float
    f1: float
    confidence: float
    iou: float
    best_f1: float
    best_f1_confidence: float
    precision_at_best_f1: float
    recall_at_best_f1: float
    ap_per_class: tuple[float, ...] = ()  # mAP50-95 by class number; -1 where the split has no such label (as COCO)
    curves: Curves | None = None
