"""Final accuracy predicted from the beginning of a curve, on curves of which everything is known."""

from __future__ import annotations

import numpy as np
import pytest

from objectives.base import EpochResult
from search.trial.learning_curves import MIN_CURVES, FinalAccuracyPredictor, LearningCurve

EPOCHS = 6


def curve(latency_ms: float, end: float, speed: float, noise: float, random: np.random.Generator) -> LearningCurve:
    """A saturating curve; the loss falls as mAP rises, and falls already where mAP is still 0."""
    epochs = []
    for epoch in range(1, EPOCHS + 1):
        share = 1 - np.exp(-speed * epoch)
        value = max(0.0, end * (1.25 * share / (1 - np.exp(-speed * EPOCHS)) - 0.25)) + noise * random.standard_normal()
        value = float(np.clip(value, 0.0, 1.0))
        loss = float(3.0 - 2.0 * end * share / (1 - np.exp(-speed * EPOCHS)) + noise * random.standard_normal())
        epochs.append(EpochResult(epoch, value, min(1.0, 1.4 * value), loss, 1.0))
    return LearningCurve(latency_ms, epochs)


def curves(count: int, seed: int, noise: float = 0.01) -> list[LearningCurve]:
    """Fast networks end lower, and learn more slowly."""
    random = np.random.default_rng(seed)
    found = []
    for latency_ms in random.uniform(1.0, 5.0, count):
        end = 0.3 + 0.1 * latency_ms + 0.05 * random.standard_normal()
        found.append(curve(latency_ms, end, 0.15 + 0.1 * latency_ms, noise, random))
    return found


def beginning(whole: LearningCurve, count: int) -> LearningCurve:
    return LearningCurve(whole.latency_ms, whole.epochs[:count])


def best(whole: LearningCurve) -> float:
    return max(each.map50_95 for each in whole.epochs)


@pytest.mark.parametrize("seen", [1, 3, 5])
def test_the_end_lies_where_it_says_it_may(seen: int) -> None:
    finished, asked = curves(25, seed=0), curves(400, seed=1)
    predicted = [FinalAccuracyPredictor(finished).predict(beginning(each, seen)) for each in asked]
    ends = np.array([best(each) for each in asked])
    highest = np.array([each.upper_bound(0.99) for each in predicted if each is not None])
    assert len(highest) == 400
    assert (ends > highest).mean() <= 0.03  # 1 % if the model were the truth
    errors = np.array([each.mean for each in predicted if each is not None]) - ends
    assert np.abs(errors).mean() < 0.06


def test_more_epochs_say_more() -> None:
    finished, asked = curves(25, seed=0), curves(100, seed=1)
    errors = []
    for seen in (1, 5):
        predicted = [FinalAccuracyPredictor(finished).predict(beginning(each, seen)) for each in asked]
        errors.append(np.mean([abs(f.mean - best(each)) for f, each in zip(predicted, asked, strict=True) if f]))
    assert errors[1] < errors[0]


def test_the_loss_speaks_while_map_is_0() -> None:
    """Two networks of one latency with no mAP after the first epoch: the one whose loss fell further ends higher."""
    finished = curves(40, seed=0)
    zero = [EpochResult(1, 0.0, 0.0, loss, 1.0) for loss in (2.2, 2.9)]
    better, worse = (FinalAccuracyPredictor(finished).predict(LearningCurve(2.0, [first])) for first in zero)
    assert better is not None and worse is not None
    assert better.mean > worse.mean + 0.02


def test_too_few_curves_say_nothing() -> None:
    finished = curves(MIN_CURVES, seed=0)
    asked = beginning(curves(1, seed=1)[0], 2)
    assert FinalAccuracyPredictor(finished).predict(asked) is not None
    assert FinalAccuracyPredictor(finished[1:]).predict(asked) is None


def test_curves_that_were_scored_at_other_epochs_are_left_out() -> None:
    finished = curves(MIN_CURVES, seed=0)
    others = [LearningCurve(each.latency_ms, each.epochs[1::2]) for each in curves(20, seed=2)]
    asked = beginning(curves(1, seed=1)[0], 2)
    assert FinalAccuracyPredictor([*finished, *others]).predict(asked) == FinalAccuracyPredictor(finished).predict(
        asked
    )
    assert FinalAccuracyPredictor(others).predict(asked) is None
