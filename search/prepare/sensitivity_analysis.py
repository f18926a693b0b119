"""What halving each channel group of the parent does: whether a study measures it, and measuring it."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

from objectives.base import Direction
from objectives.training.sensitivity import IMAGES
from search.prepare.cutting import Say, sensitivity_map
from search.sampler.candidate_predictions import can_foresee
from search.study.definition import StudyDefinition
from search.study.space import BaselineSection
from search.trial.workbench import Workbench
from spaces.allocation.summed_sensitivity import HALF, HalvingDamage
from spaces.base import Categorical, Parameter
from spaces.networks.parent import Parent
from spaces.structure.groups import tied

TRAINING_PASSES = 3
"""Times that an image in training costs what it costs to look at: forward, and twice as much back."""
MAP_SHARE = 0.2
"""Of a study's training, and of its time if that is limited: more is not spent on knowing what its cuts do."""
PACED_BY = 4
"""Cuts after the first that tell how long all will take."""


class TakesTooLong(Exception):
    """Measuring would take longer than it may."""


def wants_halving(definition: StudyDefinition, parent: Parent, epochs: int, images: int, n_trials: int) -> bool:
    """Whether the sampler asks what halving does, and measuring it is a small part of the study's training.

    Args:
        epochs: Of a trial, at the least.
        images: For training.
        n_trials: That are asked for.
    """
    objectives = [(name, Direction(value)) for name, value in definition.objectives.items()]
    asks = definition.sampler.name == "front" and not isinstance(definition.space, BaselineSection)
    return asks and can_foresee(objectives) and is_cheap(halving_images(parent), n_trials * epochs * images)


def is_cheap(looked_at: int, trained_on: int) -> bool:
    """Whether it costs little to look at so many images, beside training on so many; each counts once an epoch."""
    return looked_at <= MAP_SHARE * TRAINING_PASSES * trained_on


def fewest_epochs(fixed: int, searched: Mapping[str, Parameter]) -> int:
    """Of a trial: those of the recipe, or the least where their number is searched."""
    epochs = searched.get("recipe.epochs")
    if epochs is None:
        return fixed
    return int(min(map(float, epochs.options)) if isinstance(epochs, Categorical) else epochs.low)


def halving_images(parent: Parent) -> int:
    """Images that pass through a network while `halving_damage` is measured: for its statistics, and for its loss."""
    return 2 * IMAGES * len(tied(parent.groups))


def halving_damage(bench: Workbench, multiple: int, say: Say, most_s: float = math.inf) -> HalvingDamage:
    """What halving each of the trained parent's groups does: a third of what a whole map takes.

    Raises:
        TakesTooLong: If that will take more seconds than it may, as the first cuts tell.
        CandidateError: If the parent has no finite loss.
    """
    began: list[float] = []

    def pace(done: int, count: int) -> None:
        began.append(time.monotonic())
        if done == 1 + PACED_BY and (began[-1] - began[0]) / PACED_BY * count > most_s:
            raise TakesTooLong

    found = sensitivity_map(bench, multiple, say, (HALF,), pace)
    return HalvingDamage.of(found, bench.parent.groups, multiple)
