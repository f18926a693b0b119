"""All objectives: one line each, in the order in which they are measured. Cheap ones come first."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from objectives.metrics.accuracy import Accuracy
from objectives.metrics.base import AfterTraining, BeforeTraining, Objective
from objectives.metrics.cost import Cost
from objectives.metrics.file_accuracy import Fp16Accuracy, Int8Accuracy
from objectives.metrics.latency import MeasureLatency, TargetLatency
from objectives.metrics.map75 import Map75
from objectives.metrics.memory import Memory
from objectives.metrics.own_accuracy import ClassAccuracy, MaskAccuracy, PoseAccuracy
from objectives.quantities import LATENCY_MS


@dataclass(frozen=True)
class Tools:
    """Tools that objectives need beside the network.

    Attributes:
        parent_parameters: Number of parameters of the uncut parent.
        latency: Measures latency on the study's target.
        limits: Upper limits by name of a quantity.
    """

    parent_parameters: int
    latency: MeasureLatency
    limits: Mapping[str, float] = field(default_factory=dict)


BEFORE_TRAINING: tuple[Callable[[Tools], BeforeTraining], ...] = (
    lambda tools: Cost(tools.parent_parameters),
    lambda tools: Memory(),
    lambda tools: TargetLatency(tools.latency, tools.limits.get(LATENCY_MS.name)),
)

AFTER_TRAINING: tuple[Callable[[], AfterTraining], ...] = (
    Accuracy,
    Map75,
    MaskAccuracy,
    PoseAccuracy,
    ClassAccuracy,
    Fp16Accuracy,
    Int8Accuracy,
)


def objectives_before_training(tools: Tools, named: Collection[str]) -> tuple[BeforeTraining, ...]:
    """Return the objectives that are measured of a candidate.

    Args:
        named: Quantities that the study names; a quantity on request is measured only if it is one of these.
    """
    every = [make(tools) for make in BEFORE_TRAINING]
    return tuple(objective for objective in every if _is_wanted(objective, named))


def objectives_after_training(named: Collection[str]) -> tuple[AfterTraining, ...]:
    """Return the objectives that are measured of a trained network; `named` as in `objectives_before_training`."""
    every = [make() for make in AFTER_TRAINING]
    return tuple(objective for objective in every if _is_wanted(objective, named))


def _is_wanted(objective: Objective[Any], named: Collection[str]) -> bool:
    return any(not each.on_request or each.name in named for each in objective.quantities)
