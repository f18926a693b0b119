"""A guess at the accuracy of networks that were not trained, with its error: a Gaussian process. Knows no Optuna.

The kernel is Matern 5/2 with a length scale for each column. With few observations in many dimensions the likelihood
alone would overfit them, so each has a prior whose centre grows with the square root of the number of dimensions.

Source: Rasmussen and Williams, Gaussian Processes for Machine Learning (2006), 2.2 and 5.4.1; the prior of the length
scales: Hvarfner, Hellsten and Nardi, Vanilla Bayesian Optimization Performs Great in High Dimensions (ICML 2024).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

Values = NDArray[np.float64]

GROWN = 1.2  # times as many observations: then the length scales are found anew
MOST_FITTED = 200  # observations that the length scales are found from; all are predicted from
STEPS = 30  # of the optimizer: it begins where the last one ended
JITTER = 1e-8


@dataclass(frozen=True)
class Prior:
    """Of the logarithms of the kernel's parameters: centre and standard deviation.

    Attributes:
        length: Of a length scale, in one dimension; columns lie between 0 and 1.
        noise: Of the variance of a repeated training, as a share of the variance of what was seen.
    """

    length: tuple[float, float] = (0.0, 1.0)
    signal: tuple[float, float] = (0.0, 1.0)
    noise: tuple[float, float] = (float(np.log(1e-2)), 1.5)


@dataclass
class AccuracyModel:
    """Fitted anew to what was seen each time that it is asked for; remembers its length scales.

    Attributes:
        columns: Number of features, D.
    """

    columns: int
    prior: Prior = field(default_factory=Prior)
    _theta: Values | None = None
    _fitted_with: int = 0

    def fit(self, features: Values, accuracy: Values, variance: Values | float = 0.0) -> FittedAccuracy:
        """Learn from N trainings.

        Args:
            features: (N, D), between 0 and 1.
            accuracy: (N,).
            variance: (N,), of each accuracy beyond the noise of a training: of those that were stopped early.
        """
        centre, scale = float(accuracy.mean()), max(float(accuracy.std()), 1e-6)
        seen = (accuracy - centre) / scale
        extra = np.broadcast_to(np.asarray(variance, dtype=np.float64) / scale**2, seen.shape) + JITTER
        if self._theta is None or len(seen) >= GROWN * self._fitted_with:
            self._learn(features, seen, extra)
        process = _Given(self._kernel(), alpha=extra, optimizer=None)
        process.fit(features, seen)
        return FittedAccuracy(process, centre, scale)

    def _learn(self, features: Values, seen: Values, extra: Values) -> None:
        """Find the length scales that are most likely after what was seen."""
        chosen = _spread_out(seen, MOST_FITTED)
        process = GaussianProcessRegressor(self._kernel(), alpha=extra[chosen], optimizer=self._most_likely)
        with warnings.catch_warnings():  # a length scale at its bound: a column that does not matter
            warnings.simplefilter("ignore")
            process.fit(features[chosen], seen[chosen])
        self._theta, self._fitted_with = process.kernel_.theta, len(seen)

    def _kernel(self) -> Any:
        kernel = ConstantKernel(1.0, (1e-2, 1e2)) * Matern(np.ones(self.columns), (1e-2, 1e3), nu=2.5)
        kernel = kernel + WhiteKernel(1e-2, (1e-6, 1.0))
        return kernel.clone_with_theta(self._centres if self._theta is None else self._theta)

    @property
    def _centres(self) -> Values:
        length = self.prior.length[0] + 0.5 * np.log(self.columns)
        return np.array([self.prior.signal[0], *[length] * self.columns, self.prior.noise[0]])

    @property
    def _deviations(self) -> Values:
        return np.array([self.prior.signal[1], *[self.prior.length[1]] * self.columns, self.prior.noise[1]])

    def _most_likely(self, objective: Callable[..., Any], initial: Values, bounds: Values) -> tuple[Values, float]:
        def loss(theta: Values) -> tuple[float, Values]:
            value, slope = objective(theta, eval_gradient=True)
            off = (theta - self._centres) / self._deviations
            return value + 0.5 * float(off @ off), slope + off / self._deviations

        found = minimize(loss, initial, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": STEPS})
        return found.x, found.fun


class _Given(GaussianProcessRegressor):  # type: ignore[misc]  # scikit-learn has no types
    """With a kernel that is given: its likelihood, half the time of a fit, is nobody's question."""

    def log_marginal_likelihood(self, *_: Any, **__: Any) -> float:
        """Not worked out."""
        return float("nan")


@dataclass(frozen=True)
class FittedAccuracy:
    """What is guessed after some trainings."""

    process: Any
    centre: float
    scale: float

    def predict(self, features: Values, pending: Values | None = None) -> tuple[Values, Values]:
        """Mean and standard deviation (M,), (M,) of what M networks would reach on average; noise is left out.

        Args:
            pending: (P, D), networks that train just now. As if each had reached its own mean: that moves no mean, and
                leaves less to be learnt beside them (Ginsbourger, Le Riche and Carraro 2010, "Kriging believer").
        """
        noise = self.process.kernel_.k2.noise_level
        if pending is None or not len(pending):
            mean, sd = self.process.predict(features, return_std=True)
            variance = sd**2 - noise
        else:
            count = len(features)
            mean, joint = self.process.predict(np.vstack([features, pending]), return_cov=True)
            shared, own = joint[:count, count:], joint[count:, count:]
            learnt = np.einsum("ij,ij->i", shared, np.linalg.solve(own, shared.T).T)
            mean, variance = mean[:count], np.diag(joint)[:count] - noise - learnt
        return self.centre + self.scale * mean, self.scale * np.sqrt(np.clip(variance, 1e-12, None))

    @property
    def mean_of_observed(self) -> Values:
        """(N,): as `mean`, at the trainings that were learnt from; no kernel has to be worked out for it.

        The mean is K a where (K + D) a = y, with the noise in D: what was seen, less D a.
        """
        noise = self.process.kernel_.k2.noise_level + self.process.alpha
        expected: Values = self.process.y_train_ - noise * self.process.alpha_
        return self.centre + self.scale * expected

    def mean(self, features: Values) -> Values:
        """As `predict`, the mean alone: most of the time goes into the error."""
        expected: Values = self.process.predict(features)
        return self.centre + self.scale * expected


def _spread_out(values: Values, most: int) -> NDArray[np.intp]:
    """Indices of so many at most, at even steps through the sorted values: the best and the worst are among them."""
    if len(values) <= most:
        return np.arange(len(values))
    places = np.linspace(0, len(values) - 1, most).round().astype(np.intp)
    spread: NDArray[np.intp] = np.argsort(values)[places]
    return spread
