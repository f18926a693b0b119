"""The end of a training, told from its beginning: curves of which everything is known."""

from __future__ import annotations

import numpy as np
import pytest

from objectives.base import EpochResult
from search.trial.learning_curves import LEAST_CURVES, Curve, Ends

EPOCHS = 6


def curve(latency_ms: float, end: float, pace: float, noise: float, random: np.random.Generator) -> Curve:
    """A saturating curve; the loss falls as mAP rises, and falls already where mAP is still 0."""
    epochs = []
    for epoch in range(1, EPOCHS + 1):
        share = 1 - np.exp(-pace * epoch)
        value = max(0.0, end * (1.25 * share / (1 - np.exp(-pace * EPOCHS)) - 0.25)) + noise * random.standard_normal()
        value = float(np.clip(value, 0.0, 1.0))
        loss = float(3.0 - 2.0 * end * share / (1 - np.exp(-pace * EPOCHS)) + noise * random.standard_normal())
        epochs.append(EpochResult(epoch, value, min(1.0, 1.4 * value), loss, 1.0))
    return Curve(latency_ms, epochs)


def curves(count: int, seed: int, noise: float = 0.01) -> list[Curve]:
    """Fast networks end lower, and learn more slowly."""
    random = np.random.default_rng(seed)
    found = []
    for latency_ms in random.uniform(1.0, 5.0, count):
        end = 0.3 + 0.1 * latency_ms + 0.05 * random.standard_normal()
        found.append(curve(latency_ms, end, 0.15 + 0.1 * latency_ms, noise, random))
    return found


def beginning(whole: Curve, count: int) -> Curve:
    return Curve(whole.latency_ms, whole.epochs[:count])


def best(whole: Curve) -> float:
    return max(each.map50_95 for each in whole.epochs)


@pytest.mark.parametrize("seen", [1, 3, 5])
def test_the_end_lies_where_it_says_it_may(seen: int) -> None:
    finished, asked = curves(25, seed=0), curves(400, seed=1)
    foretold = [Ends(finished).of(beginning(each, seen)) for each in asked]
    ends = np.array([best(each) for each in asked])
    highest = np.array([each.at_best(0.99) for each in foretold if each is not None])
    assert len(highest) == 400
    assert (ends > highest).mean() <= 0.03  # 1 % if the model were the truth
    errors = np.array([each.mean for each in foretold if each is not None]) - ends
    assert np.abs(errors).mean() < 0.06


def test_more_epochs_say_more() -> None:
    finished, asked = curves(25, seed=0), curves(100, seed=1)
    errors = []
    for seen in (1, 5):
        foretold = [Ends(finished).of(beginning(each, seen)) for each in asked]
        errors.append(np.mean([abs(f.mean - best(each)) for f, each in zip(foretold, asked, strict=True) if f]))
    assert errors[1] < errors[0]


def test_the_loss_speaks_while_map_is_0() -> None:
    """Two networks of one latency with no mAP after the first epoch: the one whose loss fell further ends higher."""
    finished = curves(40, seed=0)
    zero = [EpochResult(1, 0.0, 0.0, loss, 1.0) for loss in (2.2, 2.9)]
    better, worse = (Ends(finished).of(Curve(2.0, [first])) for first in zero)
    assert better is not None and worse is not None
    assert better.mean > worse.mean + 0.02


def test_too_few_curves_say_nothing() -> None:
    finished = curves(LEAST_CURVES, seed=0)
    asked = beginning(curves(1, seed=1)[0], 2)
    assert Ends(finished).of(asked) is not None
    assert Ends(finished[1:]).of(asked) is None


def test_curves_that_were_scored_at_other_epochs_are_left_out() -> None:
    finished = curves(LEAST_CURVES, seed=0)
    others = [Curve(each.latency_ms, each.epochs[1::2]) for each in curves(20, seed=2)]
    asked = beginning(curves(1, seed=1)[0], 2)
    assert Ends([*finished, *others]).of(asked) == Ends(finished).of(asked)
    assert Ends(others).of(asked) is None
