"""Networks as numbers, for what learns accuracy from trainings: how wide each layer is, not how it was asked for.

Half of a thin donor's layer and a quarter of a wide one's may be the same network. Trainings of one then tell of the
other, and a layer that loses half of its channels loses the same wherever it starts from: widths count by logarithm.
Where it is known what halving each layer does, one number more says what all the cuts together do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from search.sampler.candidate_pool import Point, PointPool
from spaces.allocation.summed_sensitivity import HalvingDamage
from spaces.base import Parameter
from spaces.networks.graft import BACKBONE, HEAD
from spaces.search_spaces.grafts import DONOR
from spaces.search_spaces.ratios import PREFIX as RATIO

Values = NDArray[np.float64]

THINNEST = 1 / 8
"""The share of the parent's channels that stands for 0; what is thinner counts as this thin."""

DONOR_WEIGHT = 0.3
"""Of whose weights a network has, beside the widths: these tell most of what a donor is."""

DAMAGE_WEIGHT = 5.0
"""Of the damage: 1 would count no more than one layer's width."""


class NetworkFeatures:
    """Describes networks of one space.

    Args:
        parameters: Of the space; ratios are left out, as widths say what came of them.
        whole: (G,), the parent's channels of each group.
        damage: If it is known.
    """

    def __init__(
        self, parameters: Mapping[str, Parameter], whole: Sequence[int], damage: HalvingDamage | None = None
    ) -> None:
        self._others = PointPool({name: each for name, each in parameters.items() if not name.startswith(RATIO)})
        self._whole = np.array(whole, dtype=np.float64)
        self._damage = damage

    def of(self, points: Sequence[Point], widths: ArrayLike) -> Values:
        """(M, D): widths and parameters between 0 and 1, damage between 0 and `DAMAGE_WEIGHT`.

        Args:
            points: M of them.
            widths: (M, G), the channels that each keeps.
        """
        kept = np.array(widths, dtype=np.float64).reshape(len(points), len(self._whole))
        thin = np.log(np.clip(kept / self._whole, THINNEST, 1.0)) / np.log(1 / THINNEST)
        columns = [1.0 + thin, self._weights * self._others.features(points)]
        if self._damage is not None:
            worst = self._damage.total([THINNEST * self._whole])
            columns.append(DAMAGE_WEIGHT * np.minimum(self._damage.total(kept) / worst, 1.0)[:, None])
        return np.hstack(columns)

    @cached_property
    def _weights(self) -> Values:
        """A weight for each column of the parameters that are no ratios."""
        parameters = self._others.parameters
        weights = [
            np.full(PointPool({name: each}).columns, DONOR_WEIGHT if _names_a_donor(name) else 1.0)
            for name, each in parameters.items()
        ]
        return np.concatenate(weights) if weights else np.ones(0)


def _names_a_donor(parameter: str) -> bool:
    return parameter in (BACKBONE, HEAD) or parameter.startswith(DONOR)
