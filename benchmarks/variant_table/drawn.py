"""Which variants the table holds: some from everywhere, some as people would cut, some around those."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.variant_table.made import LOW, Made
from spaces.base import ParamValue

SEED = 20


def drawn(made: Made, count: int) -> list[dict[str, ParamValue]]:
    """Points of the space, always the same ones, so that a longer table begins with the shorter.

    Of ten, one is a graft of donors with all ratios alike; three lie around such a level with little scatter, three
    with much; three have ratios that fall or rise with depth, as sensitivity maps ask for. Drawn independently for
    each group, ratios of all would give nothing but networks of middling size.
    """
    names = [name for name in made.space.parameters if name.startswith("ratio.")]
    donors = list(made.space.parameters["backbone"].options)  # type: ignore[union-attr]
    random = np.random.default_rng(SEED)
    return [_point(number, names, donors, random) for number in range(count)]


def _point(number: int, names: list[str], donors: list[Any], random: np.random.Generator) -> dict[str, ParamValue]:
    kind = number % 10
    level = random.uniform(LOW + 0.1, 1.0)
    scatter = 0.0 if kind == 0 else 0.1 if kind <= 3 else 0.3
    slope = random.uniform(-0.5, 0.5) if kind >= 7 else 0.0
    depth = np.linspace(-0.5, 0.5, len(names))
    ratios = level + slope * depth + scatter * random.uniform(-1.0, 1.0, len(names))
    backbone, head = random.choice(len(donors), 2)
    chosen = {"backbone": donors[backbone], "head": donors[head]}
    clipped = np.clip(ratios, LOW, 1.0)
    return chosen | {name: round(float(ratio), 3) for name, ratio in zip(names, clipped, strict=True)}
