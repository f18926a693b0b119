"""Select the shapes that another machine measures first: the most informative ones for the latency predictor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from objectives.timing.latency_model import LatencyModel
from search.study.definition import StudyDefinition
from spaces.base import Categorical, Integer
from spaces.networks.parent import Parent
from spaces.ranking.widths import aligned
from spaces.structure.groups import tied
from spaces.structure.shape import Shape

SHAPE_POOL_SIZE = 400
"""Number of shapes to select from; none of them is built."""
MIN_SHARE = 0.25
"""Minimum share of channels that a group keeps."""
SHARE_SPREAD = 0.35
"""Maximum distance of a group's share from that of the whole network."""
SHORTENED_SHARE = 0.25
"""Share of the shapes with fewer residual bottlenecks, if the study drops some."""


def pool_of(definition: StudyDefinition, parent: Parent, seed: int = 0) -> tuple[Shape, ...]:
    """Return irregular shapes that the study could propose, by its multiple, image sizes and residual bottlenecks."""
    random = np.random.default_rng(seed)
    sizes = _image_sizes(definition, parent)
    return tuple(dict.fromkeys(_shape(definition, parent, sizes, random) for _ in range(SHAPE_POOL_SIZE)))


def shapes_to_measure(definition: StudyDefinition, parent: Parent, count: int) -> tuple[Shape, ...]:
    """Return the `count` shapes that reduce the predictor's uncertainty most, the most informative first."""
    model = LatencyModel(parent.structure, parent.imgsz)
    return model.informative(pool_of(definition, parent), measured=(), n=count)


def _shape(definition: StudyDefinition, parent: Parent, sizes: Sequence[int], random: np.random.Generator) -> Shape:
    whole = random.uniform(MIN_SHARE, 1.0)
    widths = [group.width for group in parent.groups]
    for indices in tied(parent.groups).values():
        share = float(np.clip(random.uniform(whole - SHARE_SPREAD, whole + SHARE_SPREAD), MIN_SHARE, 1.0))
        for index in indices:
            widths[index] = aligned(parent.groups[index].width, share, definition.space.multiple)
    shortens = definition.space.drops_bottlenecks and random.random() < SHORTENED_SHARE
    dropped = [repeat.name for repeat in parent.repeats if shortens and random.random() < 0.5]
    spec = parent.structure.spec_of_widths(widths, dropped)
    return Shape.of_spec(spec, int(random.choice(sizes)))


def _image_sizes(definition: StudyDefinition, parent: Parent) -> list[int]:
    searched = definition.recipe.searched.get("recipe.imgsz")
    if isinstance(searched, Categorical):
        return [int(size) for size in searched.options]
    if isinstance(searched, Integer):
        return list(range(searched.low, searched.high + 1, searched.step))
    return [int(definition.recipe.fixed.get("imgsz", parent.imgsz))]
