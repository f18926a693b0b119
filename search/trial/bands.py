"""Bands of latency that a search with a budget goes through, from wide networks to narrow ones.

In each band a few networks are tried, and the best of them is trained for longer: the band's finalist. The networks of
the next band can begin with the weights of that finalist, as rounds of pruning by hand do.

Source of pruning in rounds: Li et al., Pruning Filters for Efficient ConvNets, ICLR 2017, section 3.4. Bands of
measured latency, and a search in each of them, are ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

SPEED_STEP = 10**0.1
"""Ratio of the speeds of two bands below a limit; ten make a factor of ten (the R10 series of ISO 3)."""
TOP_SPEED = 4.0
"""Speed at which the last of many bands begins without a limit, as a multiple of the parent's."""
TOP_SPEEDS = {1: 2.2, 2: 2**1.5, 3: 2**1.5}
"""The same where there are only so many bands: what is hardly faster than the parent needs hardly any training."""
FIRST_STEPS = {1: 2, 2: 3}
"""Number of steps from the parent to the first band where there are only so many bands; else it is one step.

Two bands begin at 2.2 and 2.8 times the parent's speed. At twice its speed a long training is of less use: on digits
that finalist was as accurate as the parent itself (0.987 and 0.986 on val, 0.985 both on test).
"""
REACH = 0.9
"""Speed at which the last band begins at most, as a share of that of the narrowest network of the space.

Close to that network accuracy falls steeply: on digits a finalist at 0.94 of its speed has 0.958, one at 0.97 0.861.
"""
MIN_SPEED_STEP = 1.05
"""Minimum ratio of the speeds of two bands."""
TRIALS_SHARE = 0.2
"""Share of a band's epochs that its trials take; its finalist has the others."""
TOLERANCE = 0.03
"""Share of its latency by which a network may miss a band: proposals are predicted, and prefer its slow end."""
BAND_TRIALS = 20
"""Length of a band, as a multiple of a trial's epochs: a smaller budget has fewer bands, a greater one longer bands."""
MIN_BANDS = 2
"""Minimum number of bands without a limit, if each can have half of `BAND_TRIALS`."""
LIMIT_SHARE = 2 / 3
"""Share of the finalists' epochs that the one at a limit of latency gets, because it is what was asked for."""
MIN_FINALIST_EPOCHS = 5
"""Minimum epochs of a finalist's training."""


@dataclass(frozen=True)
class Turn:
    """Purpose of the next trial.

    Attributes:
        band: Number of its band, from 0; None after the last one.
        is_finalist: True if it trains a network further, False if it tries a new one.
        is_between: Whether that network lies between the band and the one before it, so that the front has no wide gap.
    """

    band: int | None
    is_finalist: bool
    is_between: bool = False


@dataclass(frozen=True)
class Division:
    """Bands with equally many trials, whose finalists are trained equally long.

    Below a limit of latency the first finalist is trained the longest.

    Attributes:
        trials: Number of trials in a band, before its finalist.
        finalist_epochs: Epochs that the finalist of each band is trained further for.
    """

    trials: int
    finalist_epochs: tuple[int, ...]

    @property
    def bands(self) -> int:
        """Number of bands."""
        return len(self.finalist_epochs)

    def turn(self, position: int) -> Turn:
        """Return the turn of the trial that begins after a number of others."""
        band, place = divmod(position, self.trials + 1)
        if band >= self.bands:
            return Turn(None, is_finalist=True)
        return Turn(band, is_finalist=place == self.trials, is_between=place == 0 and self.trials > 1)

    def epochs(self, trial_epochs: int) -> int:
        """Return the epochs of all bands."""
        return self.bands * self.trials * trial_epochs + sum(self.finalist_epochs)

    def text(self, trial_epochs: int) -> str:
        """Return the division in words."""
        trials = "1 trial" if self.trials == 1 else f"{self.trials} trials"
        each = f"{trials} of {trial_epochs} epochs"
        if self.bands == 1:
            return f"1 band of latency, with {each} and a finalist of {self.finalist_epochs[0]}"
        least, most = self.finalist_epochs[0], self.finalist_epochs[-1]
        longer = f"{least}" if least == most else f"{least} to {most}"
        if least > most:
            longer = f"{most}, the first of {least}"
        return f"{self.bands} bands of latency from slow to fast, each with {each} and a finalist of {longer}"


def divided(epochs: int, trial_epochs: int, *, most: int, repeats: int = 0, below_limit: bool = False) -> Division:
    """Return the division of a number of epochs.

    Args:
        epochs: Epochs after the donors.
        trial_epochs: Epochs of a trial.
        most: Maximum number of bands.
        repeats: Number of trials' trainings that are kept back, to be repeated.
        below_limit: Whether the first band ends at a limit of latency.
    """
    wanted = epochs / (BAND_TRIALS * trial_epochs)
    fewest = MIN_BANDS if wanted >= MIN_BANDS / 2 and not below_limit else 1
    bands = max(fewest, min(most, round(wanted)))
    trials = max(1, round(TRIALS_SHARE * epochs / bands / trial_epochs))
    parts = [1.0] * bands
    if below_limit and bands > 1:
        parts = [LIMIT_SHARE * bands, *[(1.0 - LIMIT_SHARE) * bands / (bands - 1)] * (bands - 1)]
    unit = (epochs - (bands * trials + repeats) * trial_epochs) / sum(parts)
    least = max(MIN_FINALIST_EPOCHS, trial_epochs)
    return Division(trials, tuple(max(least, int(unit * part)) for part in parts))


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

        One or two bands begin at 2.2 times the parent's speed. No band begins beyond the reach of the space: its
        trials and its finalist would be lost.

        Args:
            narrowest_ms: Latency in ms of the narrowest network of the space; None if it is not known.
        """
        reach = math.inf if narrowest_ms is None else REACH * parent_ms / narrowest_ms
        if limit_ms is not None:
            below = max(1.0, reach * min(limit_ms, parent_ms) / parent_ms)
            step = min(SPEED_STEP, below ** (1.0 / max(1, count - 1)))
            return cls(parent_ms, limit_ms, max(MIN_SPEED_STEP, step))
        first = FIRST_STEPS.get(count, 1)
        step = min(TOP_SPEEDS.get(count, TOP_SPEED), reach) ** (1.0 / (first + count - 1))
        step = max(MIN_SPEED_STEP, step)
        return cls(parent_ms, None, step, step**first)

    @property
    def slowest(self) -> float:
        """Latency in ms at which the first band ends."""
        slowest = self.parent_ms / self.first_speed
        return slowest if self.limit_ms is None else min(slowest, self.limit_ms)

    def of(self, number: int) -> tuple[float, float]:
        """Return the latencies in ms of a band: above the first, at most the second."""
        return self.slowest / self.step ** (number + 1), self.slowest / self.step**number

    def before(self, number: int) -> tuple[float, float]:
        """Return the latencies in ms just slower than a band, up to half a step (on a log scale).

        At a limit it is the band itself, because slower networks are not allowed.
        """
        slowest = self.of(number)[1]
        if number == 0 and slowest == self.limit_ms:
            return self.of(number)
        return slowest * (1.0 + 2.0 * TOLERANCE), slowest * math.sqrt(self.step)

    def holds(self, number: int, ms: float) -> bool:
        """Return whether a network belongs to a band: it lies there, or is hardly slower."""
        fastest, slowest = self.of(number)
        return fastest < ms <= slowest * (1.0 + TOLERANCE)

    def number_at(self, ms: float, count: int) -> int:
        """Return the number of the band that a latency lies in, or of the nearest of so many bands."""
        steps = math.floor(math.log(self.slowest / ms) / math.log(self.step) + 1e-9)
        return min(max(steps, 0), count - 1)
