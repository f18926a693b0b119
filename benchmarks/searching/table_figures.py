"""Figures of searches on tables: trainings until a share of the best hypervolume is reached, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from benchmarks.searching.methods import OURS
from benchmarks.setup.markdown import markdown_table

HYPERVOLUME_GOALS = (0.98, 0.99)
REGRET_AFTER = 50
"""Number of trainings after which regret is compared, and seconds of training are."""
CURVE_POINTS = (5, 10, 15, 20, 25, 30, 40, 50, 75, 100, 150, 200, 300)
"""Numbers of trainings at which the curves of the picture are sampled."""
MIN_RUNS = 6
"""Minimum runs for a 95 % interval: the range of fewer runs contains the median in less than 95 % of the cases."""

SearchRun = tuple[str, str, int]
"""Problem, method and seed."""


def goal_name(goal: float) -> str:
    """Return a goal as figures and tables name it: `98 %`."""
    return f"{100 * goal:.0f} %"


def trainings_until(shares: list[float], goal: float) -> float:
    """Return the number of trainings until the goal is reached; infinite if it is never reached."""
    reached = np.flatnonzero(np.array(shares) >= goal)
    return float(reached[0] + 1) if len(reached) else float("inf")


def table_figures(found: Mapping[SearchRun, Mapping[str, Any]]) -> dict[str, Any]:
    """Return by problem and method the trainings needed with intervals, the regret, and the curve of median shares."""
    figures: dict[str, dict[str, Any]] = {}
    for problem, method in dict.fromkeys(run[:2] for run in found):
        runs = [each["shares"] for (p, m, _), each in found.items() if (p, m) == (problem, method)]
        needed = {goal_name(goal): _median([trainings_until(run, goal) for run in runs]) for goal in HYPERVOLUME_GOALS}
        points = [at for at in CURVE_POINTS if all(len(run) >= at for run in runs)]
        figures.setdefault(problem, {})[method] = {
            "needed": needed,
            "curve": {at: float(np.median([run[at - 1] for run in runs])) for at in points},
            "runs": len(runs),
            "trainings": min(len(run) for run in runs),
            "regret": 1 - float(np.median([run[_compared_training(run)] for run in runs])),
            "times_ours": times_ours(found, problem, method),
        }
    return figures


def times_ours(found: Mapping[SearchRun, Mapping[str, Any]], problem: str, method: str) -> list[float | None]:
    """Return the seconds of training that a method needs, as a multiple of ours, seed by seed.

    The seconds are those until the method's hypervolume after `REGRET_AFTER` trainings; for a method with fewer
    trainings, those until its final hypervolume.

    Returns:
        The median with a 95 % interval, where 0 means that ours never reaches it; empty if no seconds are known.
    """
    ratios = []
    for seed in sorted({s for p, m, s in found if (p, m) == (problem, method)}):
        theirs, ours = found[problem, method, seed], found.get((problem, OURS, seed))
        if ours is None or "seconds" not in theirs:
            continue
        at = _compared_training(theirs["shares"])
        reached = theirs["shares"][at]
        needed = next((s for s, share in zip(ours["seconds"], ours["shares"], strict=True) if share >= reached), np.inf)
        ratios.append(theirs["seconds"][at] / needed)
    return _median(ratios) if ratios else []


def _compared_training(shares: list[float]) -> int:
    """Return the index of the training after which a method is compared: its last one if it has fewer."""
    return min(REGRET_AFTER, len(shares)) - 1


def _median(values: list[float]) -> list[float | None]:
    """Return the median, and its 95 % interval by order statistics if there are enough values; None means never."""
    ordered = np.sort(np.array(values))
    middle = ordered[(len(ordered) - 1) // 2 : len(ordered) // 2 + 1]
    found = [float("inf") if np.isinf(middle).any() else float(middle.mean())]
    if len(ordered) >= MIN_RUNS:
        low, high = _rank_interval(len(ordered))
        found += [float(ordered[low]), float(ordered[high])]
    return [None if np.isinf(each) else each for each in found]


def _rank_interval(count: int) -> tuple[int, int]:
    """Return the ranks (from 0) of the values that enclose the median in 95 % of the cases, for any distribution."""
    low = max(0, int(binom.ppf(0.025, count, 0.5)) - 1)
    return low, count - 1 - low


def overall_trainings(figures: Mapping[str, Mapping[str, Any]], method: str, goal: str) -> float:
    """Return the median over the problems of the median trainings that a method needs."""
    values = [each[method]["needed"][goal][0] for each in figures.values() if method in each]
    known: NDArray[np.float64] = np.array([np.inf if value is None else value for value in values])
    return float(np.median(known)) if len(known) else float("nan")


def methods_of(figures: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the methods that were run on any problem, in their order."""
    return list(dict.fromkeys(method for each in figures.values() for method in each))


def needed_table(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the table of methods by problems, with cells `98 % / 99 %`."""
    head = ["trainings to 98 % / 99 %", *figures, "median over problems"]
    rows = [
        [method, *(_cell(each.get(method)) for each in figures.values()), _over_problems(figures, method)]
        for method in methods_of(figures)
    ]
    return markdown_table(head, rows)


def _over_problems(figures: Mapping[str, Mapping[str, Any]], method: str) -> str:
    """Return the medians over the problems; empty if the method was not run on all of them."""
    runs = [each[method] for each in figures.values() if method in each]
    if len(runs) < len(figures):
        return ""
    trainings = min(each["trainings"] for each in runs)
    goals = [goal_name(goal) for goal in HYPERVOLUME_GOALS]
    return " / ".join(_count(overall_trainings(figures, method, goal), trainings) for goal in goals)


def _cell(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return ""
    return " / ".join(_count(needed[0], found["trainings"]) for needed in found["needed"].values())


def _count(value: float | None, trainings: int) -> str:
    if value is None or np.isinf(value):
        return f"> {trainings}"
    return f"{value:g}"
