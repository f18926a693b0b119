"""Figures as text, with only their meaningful digits."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from objectives.quantities import QUANTITIES, Digits


def significant(value: float) -> str:
    """Return three significant digits without an exponent: `0.184`, `8.70`, `14.2`, `153`."""
    size = abs(value)
    digits = 3 if size < 1 else 2 if size < 10 else 1 if size < 100 else 0
    return f"{value:.{digits}f}"


def score(value: float) -> str:
    """Return a score between 0 and 1 as `0.512`."""
    return f"{value:.3f}"


def percent(value: float) -> str:
    """Return a share as per cent: `41 %`."""
    return f"{100 * value:.0f} %"


def spread_text(value: float, spread: float) -> str:
    """Return the spread with as many decimals as its value, as in `12.3 ± 0.4`."""
    decimals = len(significant(value).partition(".")[2])
    text = f"{spread:.{decimals}f}"
    return text if float(text) > 0 else significant(spread)


def duration(seconds: float) -> str:
    """Return seconds as `42 s`, `3 min 20 s` or `5 h 12 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


WRITERS: Mapping[Digits, Callable[[float], str]] = {
    Digits.SCORE: score,
    Digits.SIGNIFICANT: significant,
    Digits.PERCENT: percent,
}
"""Functions that write a quantity's values."""


def figure_text(name: str, value: float) -> str:
    """Return a quantity's value in a sentence: `mAP50-95 0.512`, `latency 8.70 ms`, `pruned 41 %`."""
    quantity = QUANTITIES[name]
    unit = "" if quantity.unit == "1" else f" {quantity.unit}"
    title = "" if quantity.title == quantity.unit else f"{quantity.title.removesuffix(f',{unit}')} "
    return f"{title}{WRITERS[quantity.digits](value)}{unit}"
