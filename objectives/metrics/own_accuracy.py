"""Accuracy by the own measure of a task: mAP of masks, mAP of keypoints, the share of images classified rightly."""

from __future__ import annotations

from typing import ClassVar, final

from objectives.base import Measurement
from objectives.metrics.base import AfterTraining
from objectives.metrics.reloaded_network import ReloadedNetwork
from objectives.quantities import MASK_MAP50, MASK_MAP50_95, POSE_MAP50, POSE_MAP50_95, TOP1, TOP5, Quantity
from objectives.training.accuracy import own_average_precision


class OwnAccuracy(AfterTraining):
    """Measures mAP50-95 and mAP50 by the overlap that the task compares its results with."""

    def measure(self, network: ReloadedNetwork) -> tuple[Measurement, ...]:
        """Return both of each split; see `AfterTraining`."""
        return tuple(
            quantity.measurement(value, split=split)
            for split in network.splits
            for quantity, value in zip(self.quantities, own_average_precision(network.detections(split)), strict=True)
        )


@final
class MaskAccuracy(OwnAccuracy):
    """Measures `mask_map50_95` and `mask_map50`, as Ultralytics' `seg.map` and `seg.map50`."""

    quantities: ClassVar[tuple[Quantity, ...]] = (MASK_MAP50_95, MASK_MAP50)


@final
class PoseAccuracy(OwnAccuracy):
    """Measures `pose_map50_95` and `pose_map50`, as Ultralytics' `pose.map` and `pose.map50`."""

    quantities: ClassVar[tuple[Quantity, ...]] = (POSE_MAP50_95, POSE_MAP50)


@final
class ClassAccuracy(AfterTraining):
    """Measures `top1` and `top5`; both are 0 of a network that gives no class to an image as a whole."""

    quantities: ClassVar[tuple[Quantity, ...]] = (TOP1, TOP5)

    def measure(self, network: ReloadedNetwork) -> tuple[Measurement, ...]:
        """Return both of each split; see `AfterTraining`."""
        return tuple(
            quantity.measurement(value, split=split)
            for split in network.splits
            for quantity, value in zip(self.quantities, network.detections(split).top or (0.0, 0.0), strict=True)
        )
