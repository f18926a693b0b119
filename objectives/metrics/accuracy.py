"""Accuracy of a trained network on every split: mAP, and precision, recall and F1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from objectives.base import Evaluation
from objectives.metrics.base import AfterTraining
from objectives.metrics.reloaded_network import ReloadedNetwork
from objectives.quantities import QUANTITIES, Quantity
from objectives.training.accuracy import evaluation_of


@final
@dataclass(frozen=True)
class Accuracy(AfterTraining):
    """Measures the figures of an `Evaluation`: see `objectives.training.accuracy.evaluate`."""

    quantities: ClassVar[tuple[Quantity, ...]] = tuple(each for each in QUANTITIES.values() if each.in_evaluation)

    def measure(self, network: ReloadedNetwork) -> tuple[Evaluation, ...]:
        """Return an `Evaluation` of each split; see `AfterTraining`."""
        classes = len(network.data.classes)
        return tuple(
            evaluation_of(network.detections(split), split, classes, confidence=network.confidence, iou=network.iou)
            for split in network.splits
        )
