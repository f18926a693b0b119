"""How far a predictor of latency is off on shapes that it has not seen: each measured one is left out once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from search.latency.predictor import Fit
from search.store.entries import LatencyEntry


class OwnError(NamedTuple):
    """Relative errors on shapes that were left out of the fit, one at a time."""

    mean: float
    worst: float
    shapes: int


def own_error(fit: Fit, entries: Sequence[LatencyEntry]) -> OwnError:
    """Fit to all entries but one, predict that one, and so for each of them.

    Args:
        entries: Two or more, one a shape: see `latency_forecast.measured`.
    """
    errors = []
    for index, entry in enumerate(entries):
        if entry.shape is None:
            raise ValueError(f"latency of {entry.shape_key} is stored without its shape; it cannot be predicted")
        predict = fit([*entries[:index], *entries[index + 1 :]])
        errors.append(abs(predict(entry.shape).mean_ms / entry.measurement.value - 1))
    return OwnError(float(np.mean(errors)), float(np.max(errors)), len(errors))
