"""mAP at a matching IoU of 0.75: asks for a closer fit of boxes than mAP50; mAP50-95 averages over both and more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from objectives.base import Measurement
from objectives.metrics.base import AfterTraining
from objectives.metrics.reloaded_network import ReloadedNetwork
from objectives.quantities import MAP75, Quantity
from objectives.training.accuracy import map_at_iou


@final
@dataclass(frozen=True)
class Map75(AfterTraining):
    """Measures `map75`: the mean over classes of the average precision at IoU 0.75, as Ultralytics' `box.map75`.

    Source: Lin et al., Microsoft COCO, arXiv 1405.0312 (2014), and its evaluation server: the strict metric.
    """

    quantities: ClassVar[tuple[Quantity, ...]] = (MAP75,)

    def measure(self, network: ReloadedNetwork) -> tuple[Measurement, ...]:
        """Return `map75` of val, and `map75.test` of a further split; see `AfterTraining`."""
        return tuple(
            MAP75.measurement(map_at_iou(network.detections(split), 0.75), split=split) for split in network.splits
        )
