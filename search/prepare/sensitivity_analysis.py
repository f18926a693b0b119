"""Sensitivity analysis: the loss increase when each channel group of the parent is halved, and when it is measured."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

from objectives.base import Direction
from search.prepare.cutting import load_or_measure_sensitivity
from search.record.events import Say
from search.sampler.candidate_predictions import can_predict
from search.sampler.registry import sampler_named
from search.study.cuts import Criterion
from search.study.definition import StudyDefinition
from search.trial.workbench import Workbench
from spaces.allocation.summed_sensitivity import HALF, NARROW, SummedSensitivity
from spaces.base import Categorical, Parameter
from spaces.networks.parent import Parent
from spaces.structure.groups import tied

TRAINING_PASSES = 3
"""Cost of an image in training, in forward passes: one forward, and two for the backward pass."""
MAP_SHARE = 0.2
"""Maximum share of a study's training cost, and of its time limit, that the analysis may take."""
ANALYSIS_IMAGES = 32
"""Number of training images for re-estimated BatchNorm statistics, and of those that the loss is measured on."""
PACED_BY = 4
"""Number of cuts, after the first, from which the time of the whole analysis is estimated."""


class TakesTooLong(Exception):
    """The analysis would take longer than allowed."""


def wants_sensitivity(definition: StudyDefinition, parent: Parent, *, epochs: int, images: int, n_trials: int) -> bool:
    """Return whether the sampler uses the analysis and it is a small part of the study's training.

    Args:
        epochs: Minimum epochs of a trial.
        images: Number of training images.
        n_trials: Number of trials that are asked for.
    """
    objectives = [(name, Direction(value)) for name, value in definition.objectives.items()]
    asks = sampler_named(definition.sampler.name).uses_predictions and definition.space.uses_sensitivity
    return asks and can_predict(objectives) and is_cheap(analysis_images(parent), n_trials * epochs * images)


def is_cheap(looked_at: int, trained_on: int) -> bool:
    """Return whether passing `looked_at` images is cheap beside training on `trained_on` (counted once an epoch)."""
    return looked_at <= MAP_SHARE * TRAINING_PASSES * trained_on


def fewest_epochs(fixed: int, searched: Mapping[str, Parameter]) -> int:
    """Return the epochs of a trial: the recipe's, or the minimum if their number is searched."""
    epochs = searched.get("recipe.epochs")
    if epochs is None:
        return fixed
    return int(min(map(float, epochs.options)) if isinstance(epochs, Categorical) else epochs.low)


def analysis_images(parent: Parent) -> int:
    """Return the number of images that pass through a network in the analysis.

    Each group is cut to two widths; images pass for statistics, and for the loss.
    """
    return 2 * 2 * ANALYSIS_IMAGES * len(tied(parent.groups))


def summed_sensitivity(
    bench: Workbench, *, multiple: int, criterion: Criterion, say: Say, max_s: float = math.inf
) -> SummedSensitivity:
    """Measure the loss increase when each of the trained parent's groups is halved: a third of a whole map's cost.

    Args:
        multiple: Widths are multiples of this number of channels.
        criterion: What makes a channel important; the less important half of a group is cut.

    Raises:
        TakesTooLong: If it will take more than `max_s` seconds, estimated from the first cuts.
        CandidateError: If the parent has no finite loss.
    """
    began: list[float] = []

    def pace(done: int, count: int) -> None:
        began.append(time.monotonic())
        if done == 1 + PACED_BY and (began[-1] - began[0]) / PACED_BY * count > max_s:
            raise TakesTooLong

    found = load_or_measure_sensitivity(
        bench,
        multiple=multiple,
        criterion=criterion,
        say=say,
        ratios=(NARROW, HALF),
        images=ANALYSIS_IMAGES,
        on_progress=pace,
    )
    return SummedSensitivity.of(found, bench.parent.groups, multiple)
