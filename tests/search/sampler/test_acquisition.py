"""Which candidate comes next, on a small table whose front is known."""

from __future__ import annotations

import numpy as np

from search.record.staircase import Staircase
from search.sampler.acquisition import Candidates, FrontAcquisition, TrainedCandidates, spread_by_latency

SLOWEST = 10.0


def table(seed: int, count: int = 400, columns: int = 6) -> tuple[Candidates, np.ndarray]:
    """Latency grows with every column; accuracy with some columns more than with others."""
    random = np.random.default_rng(seed)
    features = random.uniform(0, 1, (count, columns))
    latency = 1.0 + 8.5 * features.mean(axis=1)
    useful = np.array([3.0, 2.0, 1.0, 0.2, 0.1, 0.0])
    return Candidates(features, latency), 0.8 - 0.6 * np.exp(-2 * features @ useful / useful.sum())


def taken(candidates: Candidates, chosen: list[int]) -> Candidates:
    return Candidates(candidates.features[chosen], candidates.latency[chosen])


def volume(candidates: Candidates, accuracy: np.ndarray, chosen: list[int]) -> float:
    return Staircase.of(candidates.latency[chosen], accuracy[chosen], SLOWEST, 0.0).hypervolume


def search(candidates: Candidates, accuracy: np.ndarray, seed: int, trainings: int) -> list[int]:
    chosen = spread_by_latency(candidates.latency, 6, np.random.default_rng(seed))
    searched = FrontAcquisition(SLOWEST)
    while len(chosen) < trainings:
        left = [index for index in range(len(accuracy)) if index not in chosen]
        trained = TrainedCandidates(taken(candidates, chosen), accuracy[chosen], np.zeros(len(chosen)))
        chosen.append(left[searched.propose(trained, taken(candidates, left))])
    return chosen


def test_twenty_trainings_find_nearly_all_that_four_hundred_would() -> None:
    for seed in range(3):
        candidates, accuracy = table(seed)
        best = volume(candidates, accuracy, list(range(400)))
        share = volume(candidates, accuracy, search(candidates, accuracy, seed, 20)) / best
        random = volume(candidates, accuracy, np.random.default_rng(seed).permutation(400)[:20].tolist()) / best
        assert share > 0.97
        assert 1 - share < (1 - random) / 2


def test_what_others_train_just_now_is_not_asked_for_again() -> None:
    candidates, accuracy = table(0)
    chosen = spread_by_latency(candidates.latency, 8, np.random.default_rng(0))
    left = [index for index in range(400) if index not in chosen]
    trained = TrainedCandidates(taken(candidates, chosen), accuracy[chosen], np.zeros(8))
    asked: list[int] = []
    for _ in range(4):
        pending = taken(candidates, asked) if asked else None
        asked.append(left[FrontAcquisition(SLOWEST).propose(trained, taken(candidates, left), pending)])
        left.remove(asked[-1])
    spread = candidates.latency[asked]
    assert min(abs(a - b) for i, a in enumerate(spread) for b in spread[:i]) > 0.02 * SLOWEST


def test_what_stands_beside_the_trials_must_be_beaten() -> None:
    """A donor that is a little faster than what would be asked for, and as accurate as anything: nothing is to gain."""
    candidates, accuracy = table(1)
    chosen = spread_by_latency(candidates.latency, 8, np.random.default_rng(0))
    left = [index for index in range(400) if index not in chosen]
    trained = TrainedCandidates(taken(candidates, chosen), accuracy[chosen], np.zeros(8))
    free = left[FrontAcquisition(SLOWEST).propose(trained, taken(candidates, left))]
    strong = candidates.latency[[free]] - 0.01, np.array([accuracy.max()])
    bound = left[FrontAcquisition(SLOWEST).propose(trained, taken(candidates, left), None, strong)]
    assert bound != free
    assert (candidates.latency[bound] < strong[0]).all() or accuracy[bound] > accuracy[free]


def test_the_first_trainings_are_spread_over_all_latencies() -> None:
    latency = np.random.default_rng(0).uniform(1, 9, 60)
    first = spread_by_latency(latency, 6, np.random.default_rng(1))
    parts = np.array_split(np.sort(latency), 6)
    assert all(part[0] <= latency[index] <= part[-1] for part, index in zip(parts, first, strict=True))


def test_the_first_ones_are_those_that_are_cut_least_for_their_latency() -> None:
    random = np.random.default_rng(3)
    latency, sensitivity = random.uniform(1, 9, 60), random.uniform(0, 1, 60)
    chosen = spread_by_latency(latency, 6, random, sensitivity)
    order = np.argsort(latency)
    assert len(chosen) == 6
    for place, index in enumerate(chosen):
        part = order[10 * place : 10 * place + 10]
        assert index in part
        assert sensitivity[index] == sensitivity[part].min()


def test_in_a_band_of_latency_only_accuracy_decides() -> None:
    for seed in range(3):
        candidates, accuracy = table(seed)
        chosen = spread_by_latency(candidates.latency, 12, np.random.default_rng(seed))
        trained = TrainedCandidates(taken(candidates, chosen), accuracy[chosen], np.zeros(12))
        band = [index for index in range(400) if index not in chosen and 4.0 < candidates.latency[index] <= 5.0]
        own = band[FrontAcquisition(SLOWEST).propose(trained, taken(candidates, band))]
        valued = band[FrontAcquisition(SLOWEST, valued_at=5.0).propose(trained, taken(candidates, band))]
        assert accuracy[valued] >= accuracy[own]
        assert accuracy[valued] >= np.quantile(accuracy[band], 0.9)
