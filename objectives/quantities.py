"""All quantities that are measured of a network, one frozen row each: name, unit, direction, titles and format.

Objectives, limits, columns, axes, notes and stored figures take all of this from here. No torch: reading a study needs
this table. Each quantity is measured by a class in `objectives.metrics`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, fields
from enum import Enum
from types import MappingProxyType
from typing import Any, final

from objectives.base import Direction, Evaluation, Measurement

MIB = 2**20
VAL = "val"
"""Split that objectives are measured on."""


class Digits(Enum):
    """Format of a figure."""

    SCORE = "three decimals"  # 0.512
    SIGNIFICANT = "three significant digits"  # 8.70
    PERCENT = "whole per cent"  # 41 %


@final
@dataclass(frozen=True)
class Quantity:
    """One quantity that can be measured of a network.

    Attributes:
        name: Name in studies, records and files, with its unit where it has one: `latency_ms`.
        unit: `ms`, `MiB`, `GFLOPs`; `1` for counts, shares and scores.
        direction: Direction that is better; None for a figure that is only shown and cannot be an objective.
        title: Heading of its column.
        digits: Format of its values.
        before_training: Whether it is known of an untrained candidate, so that a limit costs no training.
        on_request: Whether it is measured, stored and shown only in studies that name it as an objective or a limit.
        mark_best: Whether tables mark the best value.
        axis: Title of an axis, where it is longer than the column's.
        narrow: Heading of its column in a terminal, where it is shorter.
    """

    name: str
    unit: str
    direction: Direction | None
    title: str
    digits: Digits
    _: KW_ONLY
    before_training: bool
    on_request: bool = False
    mark_best: bool = True
    axis: str = ""
    narrow: str = ""

    @property
    def limitable(self) -> bool:
        """True if a study can set an upper limit: known before training, and less is better."""
        return self.before_training and self.direction is Direction.MINIMIZE

    @property
    def in_evaluation(self) -> bool:
        """True if it is a field of `Evaluation`; all other quantities are measurements."""
        return self.name in _EVALUATED

    @property
    def axis_title(self) -> str:
        """Title of an axis of a plot."""
        return self.axis or self.title

    def measurement(self, value: float, *, split: str = VAL, **details: Any) -> Measurement:
        """Return a measurement of it, in its unit; `details` are further fields of `Measurement`."""
        return Measurement(self.of_split(split), value, self.unit, **details)

    def on(self, what: str) -> str:
        """Return the name of its measurement on a further target or split: `latency_ms.openvino-cpu`, `map75.test`.

        On the study's own target, and on val, the name alone is used. So no new quantity needs a column in the
        database: its measurements are rows.
        """
        return f"{self.name}.{what}"

    def of_split(self, split: str) -> str:
        """Return the name of its measurement on a split; a quantity that needs no data has one name for all splits."""
        return self.name if self.before_training or split == VAL else self.on(split)


_EVALUATED = frozenset(field.name for field in fields(Evaluation))
_MAX, _MIN = Direction.MAXIMIZE, Direction.MINIMIZE
_SCORE, _SIGNIFICANT, _PERCENT = Digits.SCORE, Digits.SIGNIFICANT, Digits.PERCENT

# known after training
MAP50_95 = Quantity("map50_95", "1", _MAX, "mAP50-95", _SCORE, before_training=False, axis="mAP50-95 (val)")
MAP50 = Quantity("map50", "1", _MAX, "mAP50", _SCORE, before_training=False, axis="mAP50 (val)")
MAP75 = Quantity("map75", "1", _MAX, "mAP75", _SCORE, before_training=False, on_request=True, axis="mAP75 (val)")
MAP50_95_FP16 = Quantity(
    "map50_95_fp16", "1", _MAX, "mAP fp16", _SCORE, before_training=False, on_request=True, axis="mAP50-95 (val), fp16"
)
MAP50_95_INT8 = Quantity(
    "map50_95_int8", "1", _MAX, "mAP int8", _SCORE, before_training=False, on_request=True, axis="mAP50-95 (val), int8"
)
MASK_MAP50_95 = Quantity(
    "mask_map50_95",
    "1",
    _MAX,
    "mask mAP50-95",
    _SCORE,
    before_training=False,
    on_request=True,
)
MASK_MAP50 = Quantity("mask_map50", "1", _MAX, "mask mAP50", _SCORE, before_training=False, on_request=True)
POSE_MAP50_95 = Quantity(
    "pose_map50_95",
    "1",
    _MAX,
    "pose mAP50-95",
    _SCORE,
    before_training=False,
    on_request=True,
)
POSE_MAP50 = Quantity("pose_map50", "1", _MAX, "pose mAP50", _SCORE, before_training=False, on_request=True)
TOP1 = Quantity("top1", "1", _MAX, "top-1", _SCORE, before_training=False, on_request=True, axis="top-1 (val)")
TOP5 = Quantity("top5", "1", _MAX, "top-5", _SCORE, before_training=False, on_request=True)
PRECISION = Quantity("precision", "1", _MAX, "P", _SCORE, before_training=False, axis="precision (val)")
RECALL = Quantity("recall", "1", _MAX, "R", _SCORE, before_training=False, axis="recall (val)")
F1 = Quantity("f1", "1", _MAX, "F1", _SCORE, before_training=False, axis="F1 (val)")
BEST_F1 = Quantity("best_f1", "1", _MAX, "best F1", _SCORE, before_training=False, axis="best F1 (val)")
PRECISION_AT_BEST_F1 = Quantity("precision_at_best_f1", "1", None, "P at it", _SCORE, before_training=False)
RECALL_AT_BEST_F1 = Quantity("recall_at_best_f1", "1", None, "R at it", _SCORE, before_training=False)
BEST_F1_CONFIDENCE = Quantity("best_f1_confidence", "1", None, "confidence", _SCORE, before_training=False)

# known before training
SHARE_PRUNED = Quantity("share_pruned", "1", _MAX, "pruned", _PERCENT, before_training=True, mark_best=False)
LATENCY_MS = Quantity("latency_ms", "ms", _MIN, "latency, ms", _SIGNIFICANT, before_training=True)
FLOPS_G = Quantity("flops_g", "GFLOPs", _MIN, "GFLOPs", _SIGNIFICANT, before_training=True)
PARAMETERS = Quantity("parameters", "1", _MIN, "parameters", _SIGNIFICANT, before_training=True)
SIZE_MIB = Quantity(
    "size_mib", "MiB", _MIN, "size, MiB", _SIGNIFICANT, before_training=True, axis="file size, MiB", narrow="MiB"
)

MEMORY_MIB = Quantity(
    "memory_mib", "MiB", _MIN, "memory, MiB", _SIGNIFICANT, before_training=True, on_request=True, narrow="memory"
)

QUANTITIES: Mapping[str, Quantity] = MappingProxyType(
    {each.name: each for each in tuple(globals().values()) if isinstance(each, Quantity)}
)
"""All rows above by name, in their order. Messages list them, and tables have further columns, in this order."""

FILE_ACCURACIES: Mapping[str, Quantity] = MappingProxyType({"fp16": MAP50_95_FP16, "int8": MAP50_95_INT8})
"""Accuracy of the exported file itself, by the precision of a target that has fewer digits than the network."""

OWN_ACCURACIES: Mapping[str, tuple[Quantity, ...]] = MappingProxyType(
    {"segment": (MASK_MAP50_95, MASK_MAP50), "pose": (POSE_MAP50_95, POSE_MAP50), "classify": (TOP1, TOP5)}
)
"""Accuracies of a task beside those of boxes, by Ultralytics' name of it; its studies aim at the first."""

USUAL_OBJECTIVES = ((MAP50_95.name, _MAX), (LATENCY_MS.name, _MIN))
"""Objectives of a study that names none: accuracy, then latency."""


def quantity_named(name: str) -> Quantity:
    """Return the quantity of a measurement's name, which may name a further target or split after it.

    Raises:
        KeyError: If the table has no such quantity.
    """
    found = QUANTITIES.get(name) or QUANTITIES.get(name.partition(".")[0])
    if found is None:
        raise KeyError(f"'{name}' is no quantity; there are {', '.join(QUANTITIES)}")
    return found
