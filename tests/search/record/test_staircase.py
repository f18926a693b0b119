"""The front as a staircase, and what a candidate of known latency is expected to add to it."""

from __future__ import annotations

import numpy as np
import pytest

from objectives.base import Direction
from search.record.front import hypervolume
from search.record.staircase import Staircase

WORST_MS, WORST_MAP = 10.0, 0.1


def points(seed: int, count: int = 12) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.uniform(1.0, 11.0, count), random.uniform(0.0, 0.9, count)


@pytest.mark.parametrize("seed", range(5))
def test_the_area_is_that_of_the_project_s_hypervolume(seed: int) -> None:
    latency, accuracy = points(seed)
    directions = (Direction.MAXIMIZE, Direction.MINIMIZE)
    same = hypervolume(np.column_stack([accuracy, latency]).tolist(), directions, (WORST_MAP, WORST_MS))
    assert Staircase.of(latency, accuracy, WORST_MS, WORST_MAP).hypervolume == pytest.approx(same)


def test_the_height_is_the_best_accuracy_at_no_higher_latency() -> None:
    stairs = Staircase.of(np.array([2.0, 4.0, 3.0]), np.array([0.3, 0.5, 0.2]), WORST_MS, WORST_MAP)
    assert stairs.latency.tolist() == [2.0, 4.0]  # the third is beaten by the first
    assert stairs.height(np.array([1.0, 2.0, 3.9, 4.0, 9.0])).tolist() == [0.1, 0.3, 0.3, 0.5, 0.5]


@pytest.mark.parametrize("seed", range(3))
def test_the_expected_gain_is_the_mean_of_the_gains_of_random_accuracies(seed: int) -> None:
    latency, accuracy = points(seed)
    stairs = Staircase.of(latency, accuracy, WORST_MS, WORST_MAP)
    at, mean, sd = np.array([0.5, 3.0, 6.0, 9.9, 12.0]), np.array([0.3, 0.8, 0.6, 0.9, 0.9]), np.full(5, 0.15)
    draws = np.random.default_rng(1).normal(mean, sd, (4000, 5))
    gains = [
        [Staircase.of(np.append(latency, ms), np.append(accuracy, value), WORST_MS, WORST_MAP).hypervolume
         for ms, value in zip(at, drawn, strict=True)]
        for drawn in draws
    ]  # fmt: skip
    simulated = np.array(gains) - stairs.hypervolume
    tolerance = 4 * simulated.std(axis=0) / np.sqrt(len(draws)) + 1e-9  # four standard errors
    assert (np.abs(stairs.expected_gain(at, mean, sd) - simulated.mean(axis=0)) <= tolerance).all()


def test_with_an_empty_front_the_whole_area_is_gain() -> None:
    empty = Staircase.of(np.array([]), np.array([]), WORST_MS, WORST_MAP)
    assert empty.hypervolume == 0.0
    gain = empty.expected_gain(np.array([4.0]), np.array([0.6]), np.array([1e-6]))
    assert gain == pytest.approx([6.0 * 0.5])
