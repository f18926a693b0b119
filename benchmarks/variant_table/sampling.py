"""The points of the table of variants: random ones, cuts as people would make them, and points around those."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.variant_table.builder import VariantBuilder
from benchmarks.variant_table.stored_table import MIN_RATIO
from spaces.base import ParameterRole, ParamValue

SAMPLING_SEED = 20


def draw_points(builder: VariantBuilder, count: int) -> list[dict[str, ParamValue]]:
    """Return points of the space; always the same ones, so a longer table begins with the shorter one.

    Of ten points one is a graft of donors in which all ratios are equal. Three lie around such a level with little
    scatter, three with much. The other three have ratios that fall or rise with depth, as a sensitivity map suggests.
    If the ratio of every group were drawn independently, all networks would have about the same size.
    """
    names = [name for name, each in builder.space.parameters.items() if each.role is ParameterRole.WIDTH]
    donors = list(builder.space.parameters["backbone"].options)  # type: ignore[union-attr]
    random = np.random.default_rng(SAMPLING_SEED)
    return [_draw_point(number, names, donors, random) for number in range(count)]


def _draw_point(number: int, names: list[str], donors: list[Any], random: np.random.Generator) -> dict[str, ParamValue]:
    kind = number % 10
    level = random.uniform(MIN_RATIO + 0.1, 1.0)
    scatter = 0.0 if kind == 0 else 0.1 if kind <= 3 else 0.3
    slope = random.uniform(-0.5, 0.5) if kind >= 7 else 0.0
    depth = np.linspace(-0.5, 0.5, len(names))
    ratios = level + slope * depth + scatter * random.uniform(-1.0, 1.0, len(names))
    backbone, head = random.choice(len(donors), 2)
    chosen = {"backbone": donors[backbone], "head": donors[head]}
    clipped = np.clip(ratios, MIN_RATIO, 1.0)
    return chosen | {name: round(float(ratio), 3) for name, ratio in zip(names, clipped, strict=True)}
