"""What runs on tables say: trainings until a share of the best hypervolume is reached, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.setup.markdown import markdown_table

AIMS = (0.98, 0.99)
COMPARED_AT = 50
"""Trainings after which regret is told, and what ours has to reach sooner."""
CURVE_AT = (5, 10, 15, 20, 25, 30, 40, 50, 75, 100, 150, 200, 300)

LEAST_RUNS = 6
"""Of fewer the range holds the median in less than 95 % of the cases."""

Run = tuple[str, str, int]
"""Problem, way and seed."""


def trainings_until(shares: list[float], aim: float) -> float:
    """How many trainings it took; infinite if it was never reached."""
    reached = np.flatnonzero(np.array(shares) >= aim)
    return float(reached[0] + 1) if len(reached) else float("inf")


def figures_of(found: Mapping[Run, Mapping[str, Any]]) -> dict[str, Any]:
    """By problem, by way: median trainings with a 95 % interval, and the median share after so many trainings."""
    figures: dict[str, dict[str, Any]] = {}
    for problem, way in dict.fromkeys(run[:2] for run in found):
        runs = [each["shares"] for (p, w, _), each in found.items() if (p, w) == (problem, way)]
        needed = {f"{100 * aim:.0f} %": _median([trainings_until(shares, aim) for shares in runs]) for aim in AIMS}
        curve = {at: float(np.median([s[at - 1] for s in runs])) for at in CURVE_AT if all(len(s) >= at for s in runs)}
        longest = min(len(shares) for shares in runs)
        figures.setdefault(problem, {})[way] = {
            "needed": needed, "curve": curve, "runs": len(runs), "trainings": longest,
            "regret": 1 - float(np.median([shares[_compared(shares)] for shares in runs])),
            "times_ours": times_ours(found, problem, way),
        }  # fmt: skip
    return figures


def times_ours(found: Mapping[Run, Mapping[str, Any]], problem: str, way: str) -> list[float | None]:
    """How many times as many seconds of training a way needs as ours, to what it has after `COMPARED_AT` trainings.

    Of what takes fewer, to what it ends with. Seed by seed: the median with a 95 % interval, 0 where ours never gets
    there. Empty where no seconds are known.
    """
    ratios = []
    for seed in sorted({s for p, w, s in found if (p, w) == (problem, way)}):
        theirs, ours = found[problem, way, seed], found.get((problem, "ours", seed))
        if ours is None or "seconds" not in theirs:
            continue
        at = _compared(theirs["shares"])
        reached = theirs["shares"][at]
        needed = next((s for s, share in zip(ours["seconds"], ours["shares"], strict=True) if share >= reached), np.inf)
        ratios.append(theirs["seconds"][at] / needed)
    return _median(ratios) if ratios else []


def _compared(shares: list[float]) -> int:
    """Which training a way is compared after: its last one, if it has fewer than `COMPARED_AT`."""
    return min(COMPARED_AT, len(shares)) - 1


def _median(values: list[float]) -> list[float | None]:
    """The median, and a 95 % interval of it by order statistics where there are enough; None stands for never."""
    ordered = np.sort(np.array(values))
    middle = ordered[(len(ordered) - 1) // 2 : len(ordered) // 2 + 1]
    found = [float("inf") if np.isinf(middle).any() else float(middle.mean())]
    if len(ordered) >= LEAST_RUNS:
        low, high = _rank_interval(len(ordered))
        found += [float(ordered[low]), float(ordered[high])]
    return [None if np.isinf(each) else each for each in found]


def _rank_interval(count: int) -> tuple[int, int]:
    """Ranks (from 0) of the values that hold the median in 95 % of the cases, whatever the distribution."""
    from scipy.stats import binom

    low = max(0, int(binom.ppf(0.025, count, 0.5)) - 1)
    return low, count - 1 - low


def overall(figures: Mapping[str, Mapping[str, Any]], way: str, aim: str) -> float:
    """The median over the problems of the median trainings that a way needs."""
    values = [each[way]["needed"][aim][0] for each in figures.values() if way in each]
    known: NDArray[np.float64] = np.array([np.inf if value is None else value for value in values])
    return float(np.median(known)) if len(known) else float("nan")


def table_text(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """A Markdown table: ways by problems, `98 % / 99 %`."""
    ways = list(dict.fromkeys(way for each in figures.values() for way in each))
    head = ["trainings to 98 % / 99 %", *figures, "median over problems"]
    rows = []
    for way in ways:
        cells = [_cell(each.get(way)) for each in figures.values()]
        rows.append([way, *cells, _over_problems(figures, way)])
    return markdown_table(head, rows)


def _over_problems(figures: Mapping[str, Mapping[str, Any]], way: str) -> str:
    """Only of what ran on all of them."""
    runs = [each[way] for each in figures.values() if way in each]
    if len(runs) < len(figures):
        return ""
    most = min(each["trainings"] for each in runs)
    return " / ".join(_count(overall(figures, way, f"{100 * aim:.0f} %"), most) for aim in AIMS)


def _cell(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return ""
    return " / ".join(_count(needed[0], found["trainings"]) for needed in found["needed"].values())


def _count(value: float | None, most: int) -> str:
    if value is None or np.isinf(value):
        return f"> {most}"
    return f"{value:g}"
