"""Multiple of channels that is efficient on a target, from latency over width. Needs only numpy.

Runtimes compute channels in blocks, so that latency over width is a staircase: 65 channels may cost as much as 80.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from objectives.timing.timings import Interval

WIDTHS = (32, *range(48, 81), 88, 96, 104, 112, 120, 128, 129, 130, 132, 136, 144)
"""Widths that are timed: all widths that are most frequent in small YOLO models, and some up to 144."""

MULTIPLES = (2, 4, 8, 16, 32, 64)

COARSE = tuple(width for width in WIDTHS if width % 8 == 0)
TWICE = tuple(
    width for width in WIDTHS if width % 16 == 0
)  # timed twice: shows how much two loadings of one network differ
FINE = tuple(sorted(set(WIDTHS) - set(COARSE), key=lambda width: (-(width & -width), width)))  # multiples of 4 first

STAIRCASE = 0.5  # penalties above it are nearer to a staircase than to a slope
LEAST_SPREAD = 0.01  # minimum between loadings: a few may agree by chance

RESAMPLES = 1000  # number of simulated curves

LatencyByWidth = Mapping[int, Sequence[float]]
"""Latencies of each width relative to the reference, in any unit, one for each loading."""

MultiplePair = tuple[int, int, int]
"""A multiple, the width half way to the next multiple, and the next multiple: (64, 72, 80) for 16."""


@dataclass(frozen=True)
class Penalty:
    """Extra time of a width half way between two neighbouring multiples, beyond half of the rise between them.

    It is 0 if latency is proportional to the width between them, 1 if half way costs as much as the upper multiple, and
    above 1 if it costs more.

    Attributes:
        value: Penalty with its 95 % interval; None if latency does not reliably rise between these multiples.
        places: Widths from which it was computed.
    """

    multiple: int
    value: Interval | None
    places: tuple[MultiplePair, ...]

    @property
    def verdict(self) -> Literal["staircase", "slope", "open"]:
        """`staircase` if widths between the multiples are not worth their time, `slope` if they are, else `open`."""
        if self.value is None or self.value.low <= STAIRCASE <= self.value.high:
            return "open"
        return "staircase" if self.value.low > STAIRCASE else "slope"

    def __str__(self) -> str:
        """Return text for people: `0.98 (0.91 to 1.06)`."""
        if self.value is None:
            return "unknown, as latency does not reliably rise with the width"
        return f"{self.value.median:.2f} ({self.value.low:.2f} to {self.value.high:.2f})"


@dataclass(frozen=True)
class WidthSteps:
    """Result: the multiple, and the penalties that it follows from.

    Attributes:
        penalties: Penalties by ascending multiple.
        spread: Standard deviation of the latencies of one width, as a share of their mean.
        multiple: The efficient multiple; None if the times do not decide it.
        reason: Reason of the result, in a sentence.
        unsettled: Widths to time again, if the times do not decide it.
    """

    penalties: tuple[Penalty, ...]
    spread: float
    multiple: int | None
    reason: str
    unsettled: tuple[int, ...] = ()


def find_multiple(curve: LatencyByWidth) -> WidthSteps:
    """Return the smallest multiple beyond which larger multiples gain nothing.

    For each multiple M of 2, 4, 8, ... the curve has places: neighbouring multiples of M with the width half way
    between them, low < middle < high. The penalty is `2 (L(middle) - L(low)) / (L(high) - L(low)) - 1`, where rises are
    shares of L(low) and are summed over the places before dividing, so that flat places do not matter. A staircase with
    steps of S has penalty 1 for each M up to S and about 0 beyond; a slope has about 0 everywhere. The result is the
    greatest M with a staircase's penalty (interval above 0.5) if all greater multiples have a slope's penalty (below
    0.5), and 1 if all multiples down to 2 have a slope's penalty. If an interval in between contains 0.5, the result is
    open.

    The intervals are simulated. All widths have the same assumed spread between loadings, estimated from the widths
    that were loaded more than once; the uncertainty of this estimate is simulated too.

    Raises:
        ValueError: If the curve covers no place, or no width was loaded twice.
    """
    spread, freedom = _spread(curve)
    random = np.random.default_rng(0)
    spreads = spread * np.sqrt(freedom / random.chisquare(freedom, RESAMPLES))
    draws = {
        width: np.mean(latencies) * (1 + spreads * random.standard_normal(RESAMPLES) / np.sqrt(len(latencies)))
        for width, latencies in sorted(curve.items())
    }
    penalties = tuple(
        Penalty(multiple, _penalty(places, draws), places)
        for multiple in MULTIPLES
        if (places := _places(multiple, draws))
    )
    if not penalties:
        raise ValueError("the curve has no three widths like 64, 65, 66 or 64, 72, 80")
    return _conclude(penalties, spread)


def settle(time_width: Callable[[int], float], time_is_up: Callable[[], bool]) -> tuple[LatencyByWidth, WidthSteps]:
    """Time every width, the coarsest first, then again the widths that leave the result open, until it is decided.

    Args:
        time_width: Loads the block of that width and returns its latency relative to the reference.
        time_is_up: Called before each width; the coarse ones are timed in any case.
    """
    curve: dict[int, list[float]] = {}
    for width in (*COARSE, *TWICE):
        curve.setdefault(width, []).append(time_width(width))
    unsettled = FINE
    while True:
        for width in unsettled:
            if not time_is_up():
                curve.setdefault(width, []).append(time_width(width))
        found = find_multiple(curve)
        unsettled = found.unsettled
        if not unsettled or time_is_up():
            return dict(sorted(curve.items())), found


def _spread(curve: LatencyByWidth) -> tuple[float, int]:
    """Return the pooled relative standard deviation of a width's latencies, and its degrees of freedom."""
    freedom = sum(len(latencies) - 1 for latencies in curve.values())
    if freedom < 1:
        raise ValueError("no width was loaded twice, so that the spread of the latencies is unknown")
    squares = sum(float(np.sum((np.asarray(each) / np.mean(each) - 1) ** 2)) for each in curve.values())
    return max(LEAST_SPREAD, float(np.sqrt(squares / freedom))), freedom


def _places(multiple: int, widths: Iterable[int]) -> tuple[MultiplePair, ...]:
    known = set(widths)
    places = [(low, low + multiple // 2, low + multiple) for low in sorted(known) if low % multiple == 0]
    return tuple(place for place in places if known.issuperset(place))


def _penalty(places: Sequence[MultiplePair], draws: Mapping[int, NDArray[np.float64]]) -> Interval | None:
    half = np.sum([draws[middle] / draws[low] - 1 for low, middle, _ in places], axis=0)
    whole = np.sum([draws[high] / draws[low] - 1 for low, _, high in places], axis=0)
    if np.quantile(whole, 0.025) <= 0:
        return None
    low, median, high = np.quantile(2 * half / whole - 1, (0.025, 0.5, 0.975))
    return Interval(float(median), float(low), float(high))


def _conclude(penalties: tuple[Penalty, ...], spread: float) -> WidthSteps:
    """Return the first staircase from the greatest multiple down; an open penalty before it leaves the result open."""
    for index in reversed(range(len(penalties))):
        found, beyond = penalties[index], penalties[index + 1 :]
        if found.verdict == "open":
            reason = f"whether {found.multiple} gains anything is open: penalty {found}"
            unsettled = tuple(sorted({width for place in found.places for width in place}))
            reason += "; nothing is gained beyond it" if beyond else ""
            return WidthSteps(penalties, spread, None, reason, unsettled)
        if found.verdict == "staircase":
            reason = f"widths between multiples of {found.multiple} are not worth their time: penalty {found}"
            more = f"nothing is gained by {beyond[0].multiple}: {beyond[0]}" if beyond else "more was not tried"
            return WidthSteps(penalties, spread, found.multiple, f"{reason}; {more}")
    least = penalties[0]
    if least.multiple > MULTIPLES[0]:
        reason = f"nothing is gained by {least.multiple} and more: {least}; nothing smaller was timed"
        return WidthSteps(penalties, spread, None, reason)
    reason = f"every width is worth its time: the penalty between multiples of {least.multiple} is {least}"
    return WidthSteps(penalties, spread, 1, reason)
