"""Accuracy of untrained networks, predicted with its error by a Gaussian process. Independent of Optuna.

The kernel is Matern 5/2 with a length scale for each column. With few observations in many dimensions the likelihood
alone would overfit the length scales, so each has a prior whose centre grows with the square root of the number of
dimensions.

Source: Rasmussen and Williams, Gaussian Processes for Machine Learning (2006), 2.2 and 5.4.1; the prior of the length
scales: Hvarfner, Hellsten and Nardi, Vanilla Bayesian Optimization Performs Great in High Dimensions (ICML 2024).

With a prior mean (`prior_mean.py`), accuracy is an offset, plus a scale times the prior mean, plus what the kernel
models. The scale has a normal distribution around 0. Its variance is a parameter of the kernel, so the likelihood
decides it: where the prior mean says nothing, it shrinks. Source: Rasmussen and Williams, 2.7.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.optimize import minimize
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, Matern, WhiteKernel

from search.record.staircase import Values

REFIT_GROWTH = 1.2
"""Growth of the number of observations after which the length scales are fitted again."""
MAX_FITTED = 200
"""Maximum number of observations that the length scales are fitted to; predictions use all observations."""
OPTIMIZER_STEPS = 30
"""Maximum steps of the optimizer, which starts at its last result."""
JITTER = 1e-8
"""Variance added to each observation, as a share of their variance, so that the kernel matrix can be inverted."""


@dataclass(frozen=True)
class Prior:
    """Prior of the kernel's parameters: centre and standard deviation of the logarithm of each.

    Attributes:
        length: Length scale in one dimension; columns lie between 0 and 1.
        signal: Variance of the accuracy.
        noise: Variance of a repeated training, as a share of the variance of the observations.
        scale: Variance of the scale of the prior mean.
    """

    length: tuple[float, float] = (0.0, 1.0)
    signal: tuple[float, float] = (0.0, 1.0)
    noise: tuple[float, float] = (float(np.log(1e-2)), 1.5)
    scale: tuple[float, float] = (0.0, 1.5)


@dataclass
class AccuracyModel:
    """Gaussian process that is fitted to all observations each time; it keeps its length scales.

    Attributes:
        columns: Number of features, D.
        has_prior_mean: Whether the last feature is the prior mean, in any unit.
    """

    columns: int
    prior: Prior = field(default_factory=Prior)
    has_prior_mean: bool = False
    _theta: Values | None = None
    _fitted_with: int = 0

    def fit(self, features: Values, accuracy: Values, variance: Values | float = 0.0) -> FittedAccuracy:
        """Fit to N trainings.

        Args:
            features: Shape (N, D), between 0 and 1.
            accuracy: Shape (N,).
            variance: Variance of each accuracy beyond the noise of a training, shape (N,): above 0 for trials that
                were stopped early.
        """
        centre, scale = float(accuracy.mean()), max(float(accuracy.std()), 1e-6)
        observed = (accuracy - centre) / scale
        expected = _Standardized.of(features[:, -1]) if self.has_prior_mean else None
        features = features if expected is None else expected.last_of(features)
        extra = np.broadcast_to(np.asarray(variance, dtype=np.float64) / scale**2, observed.shape) + JITTER
        if self._theta is None or len(observed) >= REFIT_GROWTH * self._fitted_with:
            self._fit_length_scales(features, observed, extra)
        process = _FixedKernelProcess(self._kernel(), alpha=extra, optimizer=None)
        process.fit(features, observed)
        return FittedAccuracy(process, centre, scale, expected)

    def _fit_length_scales(self, features: Values, observed: Values, extra: Values) -> None:
        """Fit the length scales: the maximum of their posterior."""
        chosen = _spread_out(observed, MAX_FITTED)
        likelihood = Likelihood(features[chosen], observed[chosen], extra[chosen], self.has_prior_mean)
        self._theta, self._fitted_with = self._maximum_posterior(likelihood), len(observed)

    def _kernel(self) -> Any:
        if self.has_prior_mean:
            kernel = ConstantKernel(1.0, (1e-5, 1e2)) * _AllButLast(np.ones(self.columns - 1), (1e-2, 1e3), nu=2.5)
            kernel = kernel + ConstantKernel(1.0, (1e-5, 1e2)) * _LastOnly(0.0, "fixed")
        else:
            kernel = ConstantKernel(1.0, (1e-2, 1e2)) * Matern(np.ones(self.columns), (1e-2, 1e3), nu=2.5)
        kernel = kernel + WhiteKernel(1e-2, (1e-6, 1.0))
        return kernel.clone_with_theta(self._centres if self._theta is None else self._theta)

    @property
    def _centres(self) -> Values:
        lengths = self.columns - self.has_prior_mean
        return self._parameters(0, self.prior.length[0] + 0.5 * np.log(lengths))

    @property
    def _deviations(self) -> Values:
        return self._parameters(1, self.prior.length[1])

    def _parameters(self, place: int, length: float) -> Values:
        """Return the kernel's parameters in its order, each the centre (0) or the deviation (1) of its prior."""
        lengths = [length] * (self.columns - self.has_prior_mean)
        scale = [self.prior.scale[place]] if self.has_prior_mean else []
        return np.array([self.prior.signal[place], *lengths, *scale, self.prior.noise[place]])

    def _maximum_posterior(self, likelihood: Likelihood) -> Values:
        def loss(theta: Values) -> tuple[float, Values]:
            value, slope = likelihood.of(theta)
            off = (theta - self._centres) / self._deviations
            return 0.5 * float(off @ off) - value, off / self._deviations - slope

        kernel, steps = self._kernel(), {"maxiter": OPTIMIZER_STEPS}
        found = minimize(loss, kernel.theta, jac=True, method="L-BFGS-B", bounds=kernel.bounds, options=steps)
        theta: Values = found.x
        return theta


@dataclass(frozen=True)
class Likelihood:
    """Log marginal likelihood of N observations, as a function of the logarithms of the kernel's parameters.

    It is that of scikit-learn's process with `AccuracyModel`'s kernel. That one makes a matrix of N x N for each
    length scale, and takes twenty times as long.

    Attributes:
        features: Shape (N, D); with a prior mean the last column is that.
        observed: Shape (N,).
        extra: Variance of each observation beside the noise, shape (N,).
    """

    features: Values
    observed: Values
    extra: Values
    has_prior_mean: bool = False

    def of(self, theta: Values) -> tuple[float, Values]:
        """Return the log likelihood and its gradient; minus infinity where the matrix cannot be inverted.

        Args:
            theta: Logarithms of signal variance, length scales, variance of the prior mean's scale if there is one,
                and noise.
        """
        columns = self.features.shape[1] - self.has_prior_mean
        signal, lengths, noise = np.exp(theta[0]), np.exp(theta[1 : 1 + columns]), np.exp(theta[-1])
        scaled = self.features[:, :columns] / lengths
        squares = (scaled**2).sum(axis=1)
        far = np.sqrt(5.0 * np.maximum(squares[:, None] + squares - 2.0 * scaled @ scaled.T, 0.0))
        decay = signal * np.exp(-far)
        matern = (1.0 + far + far**2 / 3.0) * decay
        last = self.features[:, -1] if self.has_prior_mean else np.zeros(len(scaled))
        linear = np.exp(theta[-2]) * np.outer(last, last) if self.has_prior_mean else 0.0
        try:
            factor = cho_factor(matern + linear + np.diag(noise + self.extra), lower=True)
        except LinAlgError:
            return -np.inf, np.zeros_like(theta)
        weights = cho_solve(factor, self.observed)
        value = -0.5 * self.observed @ weights - np.log(np.diag(factor[0])).sum() - 0.5 * len(last) * np.log(2 * np.pi)
        slope = 0.5 * (np.outer(weights, weights) - cho_solve(factor, np.eye(len(last))))
        nearer = slope * (5.0 / 3.0) * (1.0 + far) * decay
        # The sum of nearer_ij (x_i - x_j)^2 of each column, without a matrix for each.
        by_length = 2.0 * (nearer.sum(axis=1) @ scaled**2 - (scaled * (nearer @ scaled)).sum(axis=0))
        by_scale = [float((slope * linear).sum())] if self.has_prior_mean else []
        found = [float((slope * matern).sum()), *by_length, *by_scale, noise * float(np.trace(slope))]
        return float(value), np.array(found)


class _FixedKernelProcess(GaussianProcessRegressor):  # type: ignore[misc]  # scikit-learn has no types
    """Gaussian process with fixed kernel parameters.

    It skips the log marginal likelihood, which is not used here and would double the time of `fit`.
    """

    def log_marginal_likelihood(self, *_: Any, **__: Any) -> float:
        """Return NaN."""
        return float("nan")


class _AllButLast(Matern):  # type: ignore[misc]  # scikit-learn has no types
    """Kernel of all features but the last one."""

    def __call__(self, X: Values, Y: Values | None = None, eval_gradient: bool = False) -> Any:
        return super().__call__(X[:, :-1], None if Y is None else Y[:, :-1], eval_gradient)


class _LastOnly(DotProduct):  # type: ignore[misc]  # scikit-learn has no types
    """Linear kernel of the last feature."""

    def __call__(self, X: Values, Y: Values | None = None, eval_gradient: bool = False) -> Any:
        return super().__call__(X[:, -1:], None if Y is None else Y[:, -1:], eval_gradient)

    def diag(self, X: Values) -> Any:
        return super().diag(X[:, -1:])


@dataclass(frozen=True)
class _Standardized:
    """Centre and spread of the prior mean over the observed networks."""

    centre: float
    spread: float

    @classmethod
    def of(cls, expected: Values) -> _Standardized:
        return cls(float(expected.mean()), max(float(expected.std()), 1e-6))

    def last_of(self, features: Values) -> Values:
        """Return features whose last column is standardized."""
        return np.column_stack([features[:, :-1], (features[:, -1] - self.centre) / self.spread])


@dataclass(frozen=True)
class FittedAccuracy:
    """The model after a number of trainings."""

    process: Any
    centre: float
    scale: float
    expected: _Standardized | None = None

    def predict(self, features: Values, pending: Values | None = None) -> tuple[Values, Values]:
        """Return mean and standard deviation of the expected accuracy of M networks, each of shape (M,).

        The noise of a single training is not included.

        Args:
            pending: Features of networks that train now, shape (P, D). Each counts as if it had reached its mean: no
                mean changes, but the uncertainty near them falls (Ginsbourger, Le Riche and Carraro 2010, "Kriging
                believer").
        """
        noise = self.process.kernel_.k2.noise_level
        features = self._scaled(features)
        if pending is None or not len(pending):
            mean, sd = self.process.predict(features, return_std=True)
            variance = sd**2 - noise
        else:
            count = len(features)
            mean, joint = self.process.predict(np.vstack([features, self._scaled(pending)]), return_cov=True)
            shared, own = joint[:count, count:], joint[count:, count:]
            learnt = np.einsum("ij,ij->i", shared, np.linalg.solve(own, shared.T).T)
            mean, variance = mean[:count], np.diag(joint)[:count] - noise - learnt
        return self.centre + self.scale * mean, self.scale * np.sqrt(np.clip(variance, 1e-12, None))

    @property
    def mean_of_observed(self) -> Values:
        """Predicted mean at the N trainings of the fit, shape (N,). Cheaper than `mean`, as it needs no kernel.

        The mean is K a where (K + D) a = y, with the noise in D; so it is y - D a.
        """
        noise = self.process.kernel_.k2.noise_level + self.process.alpha
        expected: Values = self.process.y_train_ - noise * self.process.alpha_
        return self.centre + self.scale * expected

    def mean(self, features: Values) -> Values:
        """Return the mean of `predict` alone; most of its time goes into the error."""
        expected: Values = self.process.predict(self._scaled(features))
        return self.centre + self.scale * expected

    def _scaled(self, features: Values) -> Values:
        return features if self.expected is None else self.expected.last_of(features)


def _spread_out(values: Values, most: int) -> NDArray[np.intp]:
    """Return at most `most` indices, at even steps through the sorted values, with the least and the greatest."""
    if len(values) <= most:
        return np.arange(len(values))
    places = np.linspace(0, len(values) - 1, most).round().astype(np.intp)
    spread: NDArray[np.intp] = np.argsort(values)[places]
    return spread
