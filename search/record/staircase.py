"""Expected hypervolume improvement of a candidate whose latency is known and whose accuracy is predicted.

With two objectives of which one is certain, the hypervolume that a candidate adds is an integral over latency of how
far its accuracy rises above the front's staircase; its expectation is a sum over the steps, exact.

Source: the expected improvement of Jones, Schonlau and Welch (1998), once for each step of the staircase; the sum is
the expected hypervolume improvement of Emmerich et al. (2006) where one objective has no uncertainty.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Staircase:
    """The best accuracy known at each latency.

    Attributes:
        latency: (K,) latency at which each step begins, ascending.
        accuracy: (K,) best accuracy from there on, ascending.
        reference_latency: Latency of the reference point; a slower candidate adds nothing.
        reference_accuracy: Accuracy of the reference point; a less accurate candidate adds nothing.
    """

    latency: Values
    accuracy: Values
    reference_latency: float
    reference_accuracy: float

    @staticmethod
    def of(latency: Values, accuracy: Values, reference_latency: float, reference_accuracy: float) -> Staircase:
        """Return the staircase of points in any order; they may include dominated ones."""
        inside = (latency < reference_latency) & (accuracy > reference_accuracy)
        order = np.lexsort((-accuracy[inside], latency[inside]))
        latency, accuracy = latency[inside][order], accuracy[inside][order]
        best_before = np.maximum.accumulate(np.append(-np.inf, accuracy))[:-1]
        steps = accuracy > best_before
        return Staircase(latency[steps], accuracy[steps], reference_latency, reference_accuracy)

    @property
    def hypervolume(self) -> float:
        """The area between the staircase and the reference point."""
        widths = np.diff(np.append(self.latency, self.reference_latency))
        return float((widths * (self.accuracy - self.reference_accuracy)).sum())

    def height(self, latency: Values) -> Values:
        """Return the best accuracy known at M latencies, shape (M,); that of the reference point if there is none."""
        heights = np.append(self.reference_accuracy, self.accuracy)
        found: Values = heights[np.searchsorted(self.latency, latency, side="right")]
        return found

    def expected_gain(self, latency: Values, mean: Values, sd: Values) -> Values:
        """Return the expected hypervolume improvement of M candidates, shape (M,).

        Args:
            latency: (M,), known.
            mean: (M,), of the accuracy.
            sd: (M,), of the accuracy, above 0.
        """
        begins = np.append(-np.inf, self.latency)
        ends = np.append(self.latency, self.reference_latency)
        widths = np.clip(ends - np.maximum(begins, latency[:, None]), 0.0, None)  # (M, K + 1)
        heights = np.append(self.reference_accuracy, self.accuracy)
        above = (mean[:, None] - heights) / sd[:, None]
        density = np.exp(-0.5 * above**2) / np.sqrt(2 * np.pi)
        improvement = sd[:, None] * (above * ndtr(above) + density)
        gain: Values = (widths * improvement).sum(axis=1)
        return gain
