"""Networks as numbers for the accuracy model: the width of each layer, not the parameters that led to it.

Half of a narrow donor's layer and a quarter of a wide donor's layer may be the same network, so that trainings of one
teach about the other. A layer that loses half of its channels loses about the same accuracy at any width, so widths
count by their logarithm. If a sensitivity analysis was made, one more column holds the summed sensitivity of all cuts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from search.record.staircase import Values
from search.sampler.candidate_pool import CandidatePool, Point
from spaces.allocation.summed_sensitivity import SummedSensitivity
from spaces.base import Parameter, ParameterRole

NARROWEST_SHARE = 1 / 8
"""Share of the parent's channels that a width column shows as 0; narrower layers are shown as 0 too."""

DONOR_WEIGHT = 0.3
"""Weight of the donor's one-hot columns; a width column weighs 1. Low, because widths already identify most donors."""

SENSITIVITY_WEIGHT = 5.0
"""Weight of the column with the summed sensitivity; with 1 it would count no more than the width of one layer."""


class NetworkFeatures:
    """Describes the networks of one space as rows of numbers.

    Args:
        parameters: The space's parameters. Channel ratios are left out, because the widths follow from them.
        whole: The parent's channels of each group, shape (G,).
        sensitivity: The summed sensitivity of the parent's groups, if it was measured.
    """

    def __init__(
        self, parameters: Mapping[str, Parameter], whole: Sequence[int], sensitivity: SummedSensitivity | None = None
    ) -> None:
        others = {name: each for name, each in parameters.items() if each.role is not ParameterRole.WIDTH}
        self._others = CandidatePool(others)
        self._whole = np.array(whole, dtype=np.float64)
        self._sensitivity = sensitivity

    def of(self, points: Sequence[Point], widths: ArrayLike) -> Values:
        """Return features of shape (M, D): widths and parameters from 0 to 1, sensitivity to `SENSITIVITY_WEIGHT`.

        Args:
            points: Parameters of M networks.
            widths: The channels that each network keeps, shape (M, G).
        """
        kept = np.array(widths, dtype=np.float64).reshape(len(points), len(self._whole))
        thin = np.log(np.clip(kept / self._whole, NARROWEST_SHARE, 1.0)) / np.log(1 / NARROWEST_SHARE)
        columns = [1.0 + thin, self._weights * self._others.features(points)]
        if self._sensitivity is not None:
            worst = self._sensitivity.total([NARROWEST_SHARE * self._whole])
            columns.append(SENSITIVITY_WEIGHT * np.minimum(self._sensitivity.total(kept) / worst, 1.0)[:, None])
        return np.hstack(columns)

    @cached_property
    def _weights(self) -> Values:
        """Weight of each column of the parameters that are not ratios."""
        weights = [
            np.full(CandidatePool({name: each}).columns, DONOR_WEIGHT if each.role is ParameterRole.DONOR else 1.0)
            for name, each in self._others.parameters.items()
        ]
        return np.concatenate(weights) if weights else np.ones(0)
