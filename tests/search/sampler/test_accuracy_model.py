"""The model of accuracy: what it knows, what it does not, and how many dimensions it bears."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from search.sampler.accuracy_model import JITTER, AccuracyModel, Likelihood

NOISE_SD = 0.01


def landscape(features: np.ndarray) -> np.ndarray:
    """Accuracy saturates in a weighted sum of the first few of many columns."""
    weights = np.linspace(1.0, 0.2, features.shape[1]) ** 2
    saturated: np.ndarray = 0.8 - 0.5 * np.exp(-2.5 * features @ weights / weights.sum())
    return saturated


def seen(count: int, columns: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    features = np.clip(random.uniform(0, 1, (count, 1)) + random.uniform(-0.3, 0.3, (count, columns)), 0, 1)
    return features, landscape(features) + NOISE_SD * random.standard_normal(count)


@pytest.mark.parametrize(("columns", "count"), [(4, 20), (40, 60)])
def test_it_ranks_networks_that_it_has_not_seen(columns: int, count: int) -> None:
    fitted = AccuracyModel(columns).fit(*seen(count, columns, seed=0))
    features, _ = seen(200, columns, seed=1)
    mean, sd = fitted.predict(features)
    truth = landscape(features)
    assert np.corrcoef(mean, truth)[0, 1] > 0.95
    held = np.abs(mean - truth) <= 2 * sd + 1e-3
    assert held.mean() > 0.85  # 95 % if the kernel were the truth's own


def test_repeats_tell_the_noise_of_a_training() -> None:
    features, _ = seen(30, 3, seed=0)
    features = np.vstack([features] * 4)
    accuracy = landscape(features) + NOISE_SD * np.random.default_rng(2).standard_normal(len(features))
    fitted = AccuracyModel(3).fit(features, accuracy)
    _, sd = fitted.predict(features[:30])
    assert (sd < NOISE_SD).all()  # of the mean of four, with neighbours: less than that of one
    assert (sd > NOISE_SD / 8).all()  # but not none: repeats differ


def test_a_value_that_is_half_known_pulls_less() -> None:
    features = np.linspace(0, 1, 12)[:, None]
    accuracy = 0.5 + 0.1 * features[:, 0]
    accuracy[6] = 0.2
    sure = AccuracyModel(1).fit(features, accuracy)
    unsure = AccuracyModel(1).fit(features, accuracy, np.where(np.arange(12) == 6, 0.3**2, 0.0))
    at = features[6:7]
    assert abs(unsure.predict(at)[0][0] - 0.55) < abs(sure.predict(at)[0][0] - 0.55)


def test_what_is_expected_of_networks_that_were_seen_needs_no_kernel() -> None:
    features, accuracy = seen(30, 5, seed=0)
    fitted = AccuracyModel(5).fit(features, accuracy, np.linspace(0.0, 0.02, 30) ** 2)
    assert fitted.mean_of_observed == pytest.approx(fitted.mean(features), abs=1e-9)
    assert not np.allclose(fitted.mean_of_observed, accuracy, atol=1e-3)  # smoothed, not what was seen


def test_a_network_far_from_all_others_is_uncertain() -> None:
    features, accuracy = seen(30, 5, seed=0)
    fitted = AccuracyModel(5).fit(0.3 * features, accuracy)
    (_, near), (_, far) = fitted.predict(0.3 * features[:5]), fitted.predict(np.ones((1, 5)))
    assert far[0] > 2 * near.max()


def test_equal_values_are_no_fault() -> None:
    mean, sd = (
        AccuracyModel(2).fit(np.random.default_rng(0).uniform(0, 1, (5, 2)), np.full(5, 0.4)).predict(np.zeros((1, 2)))
    )
    assert mean == pytest.approx([0.4])
    assert np.isfinite(sd).all()


def test_pending_networks_count_as_if_they_had_reached_their_own_mean() -> None:
    features, accuracy = seen(30, 5, seed=0)
    fitted = AccuracyModel(5).fit(features, accuracy)
    asked, pending = seen(20, 5, seed=1)[0], seen(6, 5, seed=2)[0]
    reached = np.append(accuracy, fitted.mean(pending))
    told = np.vstack([features, pending]), (reached - fitted.centre) / fitted.scale
    kernel = fitted.process.kernel_
    mean, sd = GaussianProcessRegressor(kernel, alpha=JITTER, optimizer=None).fit(*told).predict(asked, return_std=True)
    found_mean, found_sd = fitted.predict(asked, pending)
    assert found_mean == pytest.approx(fitted.centre + fitted.scale * mean, abs=1e-4)
    assert found_sd == pytest.approx(fitted.scale * np.sqrt(sd**2 - kernel.k2.noise_level), abs=1e-4)
    assert (found_sd <= fitted.predict(asked)[1] + 1e-9).all()


def test_a_prior_mean_spares_trainings_and_shrinks_where_it_misleads() -> None:
    features, accuracy = seen(12, 8, seed=0)
    asked, _ = seen(200, 8, seed=1)
    random = np.random.default_rng(3)

    def error(expected: np.ndarray | None, expected_of_asked: np.ndarray | None) -> float:
        known, wanted = features, asked
        if expected is not None and expected_of_asked is not None:
            known, wanted = np.column_stack([features, expected]), np.column_stack([asked, expected_of_asked])
        model = AccuracyModel(known.shape[1], has_prior_mean=expected is not None)
        mean = model.fit(known, accuracy).mean(wanted)
        return float(np.sqrt(np.mean((mean - landscape(asked)) ** 2)))

    alone = error(None, None)
    assert error(40 + 7 * landscape(features), 40 + 7 * landscape(asked)) < 0.5 * alone  # in any unit
    assert error(random.uniform(size=12), random.uniform(size=200)) < 1.3 * alone


def test_what_is_expected_of_networks_that_were_seen_includes_the_prior_mean() -> None:
    features, accuracy = seen(30, 5, seed=0)
    described = np.column_stack([features, landscape(features)])
    fitted = AccuracyModel(6, has_prior_mean=True).fit(described, accuracy)
    assert fitted.mean_of_observed == pytest.approx(fitted.mean(described), abs=1e-9)
    mean, sd = fitted.predict(described[:5], described[5:7])
    assert mean == pytest.approx(fitted.mean(described[:5]))
    assert (sd <= fitted.predict(described[:5])[1] + 1e-9).all()


def test_the_likelihood_is_that_of_scikit_learn() -> None:
    features, accuracy = seen(30, 6, seed=3)
    observed, extra = (accuracy - accuracy.mean()) / accuracy.std(), np.full(30, 1e-3)
    theta = np.random.default_rng(4).normal(-0.3, 0.4, 8)
    kernel = ConstantKernel(1.0) * Matern(np.ones(6), nu=2.5) + WhiteKernel(1e-2)
    process = GaussianProcessRegressor(kernel, alpha=extra, optimizer=None).fit(features, observed)
    value, slope = process.log_marginal_likelihood(theta, eval_gradient=True)
    ours, our_slope = Likelihood(features, observed, extra).of(theta)
    assert ours == pytest.approx(value, rel=1e-9)
    assert our_slope == pytest.approx(slope, rel=1e-7, abs=1e-9)

    with_mean = Likelihood(features, observed, extra, has_prior_mean=True)
    for place in range(8):
        step = 1e-5 * np.eye(8)[place]
        rise = (with_mean.of(theta + step)[0] - with_mean.of(theta - step)[0]) / 2e-5
        assert with_mean.of(theta)[1][place] == pytest.approx(rise, rel=1e-4, abs=1e-6)
    without = Likelihood(features[:, :5], observed, extra).of(np.delete(theta, 6))[0]
    assert with_mean.of(np.where(np.arange(8) == 6, -30.0, theta))[0] == pytest.approx(without, rel=1e-9)
