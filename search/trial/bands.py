"""Bands of latency that a search with a budget goes through, from wide networks to narrow ones.

In each band a few networks are tried, and the best of them is trained for longer: the band's finalist. The networks of
the next band can begin with the weights of that finalist, as rounds of pruning by hand do.

Source of pruning in rounds: Li et al., Pruning Filters for Efficient ConvNets, ICLR 2017, section 3.4. Bands of
measured latency, and a search in each of them, are ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from search.record.staircase import Staircase

SPEED_STEP = 10**0.1
"""Ratio of the speeds of two bands below a limit; ten make a factor of ten (the R10 series of ISO 3)."""
TOP_SPEED = 4.0
"""Speed at which the last of many bands begins without a limit, as a multiple of the parent's."""
FEW_BANDS_SPEEDS = {1: (2.6, 2.6), 2: (2.2, 2**1.5), 3: (2**0.5, 2**1.5)}
"""Speeds at which the first and the last band begin where there are only so many.

What is hardly faster than the parent needs hardly any training. At twice the parent's speed a long training is of less
use as well: on digits that finalist was as accurate as the parent (0.987 and 0.986 on val, 0.985 both on test). One
finalist at 2.58 times the speed, which has most of the budget, is as accurate as the parent on blood cells.
"""
REACH = 0.9
"""Speed at which the last band begins at most, as a share of that of the narrowest network of the space.

Close to that network accuracy falls steeply: on digits a finalist at 0.94 of its speed has 0.958, one at 0.97 0.861.
"""
MIN_SPEED_STEP = 1.05
"""Minimum ratio of the speeds of two bands."""
TRIALS_SHARE = 0.1
"""Share of the epochs that the trials of the bands take; their finalists have most of the others."""
GAPS_SHARE = 0.15
"""Share of the epochs that the trials in the gaps of the front take."""
MIN_GAP_TRIALS = 8
"""Minimum number of these trials, so that a small budget ends with a front and not with one network."""
MAX_GAPS_SHARE = 0.3
"""Maximum share of the epochs that this minimum may take."""
TOLERANCE = 0.03
"""Share of its latency by which a finalist may be slower than its band: proposals may miss it."""
AIM = 1.1
"""Ratio of the latencies that a band's trials aim at: its finalist is what the user has at the band's slow end."""
BAND_TRIALS = 40
"""Length of a band, as a multiple of a trial's epochs: a smaller budget has fewer bands, a greater one longer bands.

One long training brings more than two half as long. On blood cells (120 epochs, trials of 3) two finalists have 0.562
at 2.32 and 0.547 at 2.90 times the parent's speed; one has 0.581 at 2.58 times.
"""
LIMIT_SHARE = 2 / 3
"""Share of the finalists' epochs that the one at a limit of latency gets, because it is what was asked for."""
MIN_FINALIST_EPOCHS = 5
"""Minimum epochs of a finalist's training."""
MIN_GAP = 1.1
"""Minimum ratio of the latencies of two neighbours on the front between which a further network is tried."""
MIN_GAP_HEIGHT = 0.005
"""Minimum difference of their accuracies: what lies between would hardly differ from the faster one.

It is the least difference that two trainings of one network can tell. With 0.01 a tenth of a budget was left on digits.
"""
MAX_TRIES = 2
"""Number of trials in a gap, none of them on the front, after which no further one is tried there."""
GAP_STEP = 1.12
"""Maximum ratio of the latencies of the fastest member of the front and of a network that is tried beyond it."""
GAP_WIDTH = 1.08
"""Ratio of the latencies that a trial in a gap may have."""


@dataclass(frozen=True)
class Turn:
    """Purpose of the next trial.

    Attributes:
        band: Number of its band, from 0; None after the last one.
        is_finalist: True if it trains a network further, False if it tries a new one: in the band, or after the last
            band in a gap of the front.
    """

    band: int | None
    is_finalist: bool


@dataclass(frozen=True)
class Division:
    """Bands with equally many trials, whose finalists are trained equally long, and trials in the gaps between them.

    Below a limit of latency the first finalist is trained the longest.

    Attributes:
        trials: Number of trials in a band, before its finalist.
        finalist_epochs: Epochs that the finalist of each band is trained further for.
        gaps: Number of trials in gaps of the front, after the last finalist.
    """

    trials: int
    finalist_epochs: tuple[int, ...]
    gaps: int = 0

    @property
    def bands(self) -> int:
        """Number of bands."""
        return len(self.finalist_epochs)

    def turn(self, position: int) -> Turn:
        """Return the turn of the trial that begins after a number of others."""
        band, place = divmod(position, self.trials + 1)
        if band >= self.bands:
            return Turn(None, is_finalist=position >= self.bands * (self.trials + 1) + self.gaps)
        return Turn(band, is_finalist=place == self.trials)

    def epochs(self, trial_epochs: int) -> int:
        """Return the epochs of all bands and gaps."""
        return (self.bands * self.trials + self.gaps) * trial_epochs + sum(self.finalist_epochs)

    def text(self, trial_epochs: int) -> str:
        """Return the division in words."""
        each, gaps = f"{_trials(self.trials)} of {trial_epochs} epochs", ""
        if self.gaps:
            gaps = f"; {_trials(self.gaps)} of {trial_epochs} epochs in gaps of the front"
        if self.bands == 1:
            return f"1 band of latency, with {each} and a finalist of {self.finalist_epochs[0]}{gaps}"
        first, others = self.finalist_epochs[0], self.finalist_epochs[-1]
        longer = f"{others}" if first == others else f"{others}, the first of {first}"
        return f"{self.bands} bands of latency from slow to fast, each with {each} and a finalist of {longer}{gaps}"


def _trials(count: int) -> str:
    return "1 trial" if count == 1 else f"{count} trials"


def divided(epochs: int, trial_epochs: int, *, most: int, repeats: int = 0, below_limit: bool = False) -> Division:
    """Return the division of a number of epochs.

    Args:
        epochs: Epochs after the donors.
        trial_epochs: Epochs of a trial.
        most: Maximum number of bands.
        repeats: Number of trials' trainings that are kept back, to be repeated.
        below_limit: Whether the first band ends at a limit of latency.
    """
    bands = max(1, min(most, round(epochs / (BAND_TRIALS * trial_epochs))))
    trials = max(1, round(TRIALS_SHARE * epochs / bands / trial_epochs))
    least_gaps = min(MIN_GAP_TRIALS, round(MAX_GAPS_SHARE * epochs / trial_epochs))
    gaps = max(round(GAPS_SHARE * epochs / trial_epochs), least_gaps)
    parts = [1.0] * bands
    if below_limit and bands > 1:
        parts = [LIMIT_SHARE, *[(1.0 - LIMIT_SHARE) / (bands - 1)] * (bands - 1)]
    unit = (epochs - (bands * trials + gaps + repeats) * trial_epochs) / sum(parts)
    least = max(MIN_FINALIST_EPOCHS, trial_epochs)
    return Division(trials, tuple(max(least, int(unit * part)) for part in parts), gaps)


@dataclass(frozen=True)
class Bands:
    """Bands of latency, each a step of speed wide. The first ends at the limit, or a step below the parent's latency.

    Attributes:
        parent_ms: Latency of the parent in ms.
        limit_ms: Upper limit of the latency in ms; None for no limit.
        step: Ratio of the speeds of two bands.
        first_speed: Speed at which the first band begins without a limit, as a multiple of the parent's.
    """

    parent_ms: float
    limit_ms: float | None = None
    step: float = SPEED_STEP
    first_speed: float = SPEED_STEP

    @classmethod
    def dividing(cls, parent_ms: float, limit_ms: float | None, count: int, narrowest_ms: float | None = None) -> Bands:
        """Return a number of bands: below a limit, or up to 4 times the speed of the parent.

        One band begins at 2.6 times the parent's speed, two at 2.2 and 2.8 times. No band begins beyond the reach of
        the space: its trials and its finalist would be lost.

        Args:
            narrowest_ms: Latency in ms of the narrowest network of the space; None if it is not known.
        """
        reach = math.inf if narrowest_ms is None else REACH * parent_ms / narrowest_ms
        if limit_ms is not None:
            below = max(1.0, reach * min(limit_ms, parent_ms) / parent_ms)
            step = min(SPEED_STEP, below ** (1.0 / max(1, count - 1)))
            return cls(parent_ms, limit_ms, max(MIN_SPEED_STEP, step))
        first, last = FEW_BANDS_SPEEDS.get(count, (TOP_SPEED ** (1.0 / count), TOP_SPEED))
        last = min(last, reach)
        first = max(1.0, min(first, last / MIN_SPEED_STEP ** (count - 1)))
        step = (last / first) ** (1.0 / max(1, count - 1))
        return cls(parent_ms, None, max(MIN_SPEED_STEP, step), first)

    @property
    def slowest(self) -> float:
        """Latency in ms at which the first band ends."""
        slowest = self.parent_ms / self.first_speed
        return slowest if self.limit_ms is None else min(slowest, self.limit_ms)

    def of(self, number: int) -> tuple[float, float]:
        """Return the latencies in ms of a band: above the first, at most the second."""
        return self.slowest / self.step ** (number + 1), self.slowest / self.step**number

    def aim(self, number: int) -> tuple[float, float]:
        """Return the latencies in ms that trials of a band should have: its slow end."""
        fastest, slowest = self.of(number)
        return max(fastest, slowest / AIM), slowest

    def holds(self, number: int, ms: float) -> bool:
        """Return whether a network belongs to a band: it lies there, or is hardly slower."""
        fastest, slowest = self.of(number)
        return fastest < ms <= slowest * (1.0 + TOLERANCE)

    def number_at(self, ms: float, count: int) -> int:
        """Return the number of the band that a latency lies in, or of the nearest of so many bands."""
        steps = math.floor(math.log(self.slowest / ms) / math.log(self.step) + 1e-9)
        return min(max(steps, 0), count - 1)


def gap_of_front(
    trained: Sequence[tuple[float, float]],
    worst: tuple[float, float],
    fastest_ms: float,
    tried_ms: Sequence[float] = (),
    running: int = 0,
    slower_than_ms: float = 0.0,
) -> tuple[float, float] | None:
    """Return the latencies in ms that a network in the greatest gap of the front should have; None without a gap.

    A gap is the rectangle between two neighbours of the front, log latency times accuracy, or between the fastest
    member and the end of the space. It counts less if a trial lies in it already, and nothing after two.

    Args:
        trained: Latency in ms and accuracy of the parent and of the networks of the search.
        worst: The same of the reference point of the hypervolume.
        fastest_ms: Latency in ms beyond which no network is tried.
        tried_ms: Latencies in ms of the trials; a donor in a gap does not tell that there is no better network.
        running: Number of trials that run now; each is taken to fill the greatest gap that was left.
        slower_than_ms: Latency in ms of a network in `trained` beyond which no gap is filled now.
    """
    found = [each for each in trained if each[0] >= slower_than_ms]
    fastest_ms = max(fastest_ms, slower_than_ms)
    for _ in range(running + 1):
        gaps = _gaps(found, worst, fastest_ms, tried_ms)
        if not gaps:
            return None
        _, middle, accuracy = max(gaps)
        found.append((middle, accuracy))
    half = GAP_WIDTH**0.5
    return middle / half, middle * half


def _gaps(
    trained: Sequence[tuple[float, float]], worst: tuple[float, float], fastest_ms: float, tried_ms: Sequence[float]
) -> list[tuple[float, float, float]]:
    """Return the worth of each gap, and the latency in ms and the accuracy that a network in it may have."""
    latency, accuracy = np.array(trained, dtype=np.float64).reshape(-1, 2).T
    front = Staircase.of(latency, accuracy, *worst)
    members = list(zip(front.latency.tolist(), front.accuracy.tolist(), strict=True))
    found = []
    for (fast_ms, low), (slow_ms, high) in pairwise([(fastest_ms, worst[1]), *members]):
        is_end = fast_ms == fastest_ms
        ratio = slow_ms / fast_ms
        if ratio < (GAP_WIDTH if is_end else MIN_GAP) or high - low < MIN_GAP_HEIGHT:
            continue
        margin = GAP_WIDTH**0.5  # a trial next to a member fills no gap
        tries = sum(fast_ms * margin < ms < slow_ms / margin for ms in tried_ms)
        if tries >= MAX_TRIES:
            continue
        middle = slow_ms / (min(GAP_STEP, math.sqrt(ratio)) if is_end else math.sqrt(ratio))
        share = math.log(slow_ms / middle) / math.log(ratio)
        found.append((math.log(ratio) * (high - low) / (1 + tries), middle, high - share * (high - low)))
    return found
