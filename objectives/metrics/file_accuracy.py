"""Accuracy of the file that a target of reduced precision runs, measured on the file itself."""

from __future__ import annotations

from typing import ClassVar, final

from objectives.base import Measurement
from objectives.metrics.base import AfterTraining
from objectives.metrics.reloaded_network import ReloadedNetwork
from objectives.quantities import FILE_ACCURACIES, Quantity
from objectives.training.accuracy import mean_average_precision


class FileAccuracy(AfterTraining):
    """Measures mAP50-95 of the exported file, which rounding to fewer bits may have lowered.

    Attributes:
        precision: Precision of the target whose file it is: `fp16`, `int8`.
    """

    precision: ClassVar[str]

    def measure(self, network: ReloadedNetwork) -> tuple[Measurement, ...]:
        """Return its mAP50-95 of val, and of each further split; see `AfterTraining`."""
        (quantity,) = self.quantities
        target = network.files[self.precision].target.key
        found = ((split, network.file_detections(self.precision, split)) for split in network.splits)
        return tuple(
            quantity.measurement(mean_average_precision(each), split=split, target=target) for split, each in found
        )


@final
class Fp16Accuracy(FileAccuracy):
    """Measures `map50_95_fp16`."""

    precision = "fp16"
    quantities: ClassVar[tuple[Quantity, ...]] = (FILE_ACCURACIES["fp16"],)


@final
class Int8Accuracy(FileAccuracy):
    """Measures `map50_95_int8`."""

    precision = "int8"
    quantities: ClassVar[tuple[Quantity, ...]] = (FILE_ACCURACIES["int8"],)
