"""Error of a latency predictor on shapes that it was not fitted to: each measured shape is left out once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from search.latency.predictor import Fit
from search.store.entries import LatencyEntry


class LeftOutError(NamedTuple):
    """Relative errors on shapes that were left out of the fit, one at a time."""

    mean: float
    worst: float
    shapes: int


def left_out_error(fit: Fit, entries: Sequence[LatencyEntry]) -> LeftOutError:
    """Fit to all entries but one and predict that one.

    Args:
        entries: Two or more, one a shape: see `stored_latencies.best_entries`.
    """
    errors = []
    for index, entry in enumerate(entries):
        if entry.shape is None or entry.measurement.ratio is None:
            raise ValueError(f"latency of {entry.shape_key} is stored without shape or ratio; it cannot be predicted")
        predict = fit([*entries[:index], *entries[index + 1 :]])
        errors.append(abs(float(predict([entry.shape]).mean[0]) / entry.measurement.ratio - 1))
    return LeftOutError(float(np.mean(errors)), float(np.max(errors)), len(errors))
