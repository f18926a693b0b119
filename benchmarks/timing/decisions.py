"""Statistics of rounds and races: spread of figures, wrong decisions about pairs, coverage of intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

OURS_SEARCH = "ours (search)"
OURS_CONFIRM = "ours (confirm)"
CONDITIONS = ("idle", "one core busy", "all cores busy")
DECISIONS = 200

Round = Mapping[str, Any]


def figure_of(method: str, figures: Mapping[str, Any]) -> float | None:
    """Return the figure of a method as one number; None if the method did not measure that network."""
    if method not in figures:
        return None
    return float(figures[method]["ratio"]) if method == OURS_SEARCH else float(figures[method])


def coefficient_of_variation(
    rounds: Sequence[Round], method: str, condition: str, networks: Sequence[str]
) -> float | None:
    """Return the coefficient of variation of a method in a condition: root mean square over the networks."""
    squares = []
    for network in networks:
        values = _values(rounds, method, condition, network)
        if len(values) >= 2:
            squares.append((np.std(values, ddof=1) / np.mean(values)) ** 2)
    return float(np.sqrt(np.mean(squares))) if squares else None


def _values(rounds: Sequence[Round], method: str, condition: str, network: str) -> list[float]:
    figures = [each["figures"].get(network, {}) for each in rounds if each["condition"] == condition]
    return [value for each in figures if (value := figure_of(method, each)) is not None]


def wrong_decisions(rounds: Sequence[Round], method: str, pairs: Sequence[tuple[str, str]]) -> tuple[int, int]:
    """Return how many pairs of one round a method put in the wrong order, and how many it decided."""
    decisions = [
        lower >= upper
        for each in rounds
        for one, other in pairs
        if (lower := figure_of(method, each["figures"].get(one, {}))) is not None
        and (upper := figure_of(method, each["figures"].get(other, {}))) is not None
    ]
    return sum(decisions), len(decisions)


def wrong_decisions_between_rounds(
    rounds: Sequence[Round], method: str, pairs: Sequence[tuple[str, str]], seed: int = 0
) -> tuple[int, int]:
    """Return the same for 200 pairs whose networks were measured in different rounds, drawn at random.

    A study compares such figures: one candidate is measured now, another an hour later under another load.
    """
    random = np.random.default_rng(seed)
    values = [
        (lower, upper)
        for one, other in pairs
        if (lower := _values_in_all_conditions(rounds, method, one))
        and (upper := _values_in_all_conditions(rounds, method, other))
    ]
    if not values:
        return 0, 0
    wrong = 0
    for number in range(DECISIONS):
        lower, upper = values[number % len(values)]
        wrong += random.choice(lower) >= random.choice(upper)
    return int(wrong), DECISIONS


def _values_in_all_conditions(rounds: Sequence[Round], method: str, network: str) -> list[float]:
    return [value for condition in CONDITIONS for value in _values(rounds, method, condition, network)]


def wrong_race_decisions(races: Sequence[Mapping[str, Any]]) -> tuple[int, int, int]:
    """Return the number of neighbours that races put in the wrong order, of ties, and of all pairs of neighbours.

    A race numbers the networks from the fastest. A pair is wrong if the greater number comes first in its order and
    the two are no tie.
    """
    wrong = ties = decisions = 0
    for race in races:
        place = {number: position for position, number in enumerate(race["order"])}
        for lower in range(len(place) - 1):
            decisions += 1
            if lower + 1 in race["ties"][lower]:
                ties += 1
            elif place[lower] > place[lower + 1]:
                wrong += 1
    return wrong, ties, decisions


def real_coverage(rounds: Sequence[Round]) -> dict[str, tuple[int, int]]:
    """Return by condition the number of our intervals that contain the long-run value, and the number of intervals.

    The long-run value is the median of all other measurements of the same network, in any condition.
    """
    by_network: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    for each in rounds:
        for network, figures in each["figures"].items():
            by_network.setdefault(network, []).append((each["condition"], figures[OURS_SEARCH]))
    counts = {condition: [0, 0] for condition in CONDITIONS}
    for found in by_network.values():
        ratios = np.array([figures["ratio"] for _, figures in found])
        for index, (condition, figures) in enumerate(found):
            if len(found) > 1:
                long_run = np.median(np.delete(ratios, index))
                counts[condition][0] += int(figures["low"] <= long_run <= figures["high"])
                counts[condition][1] += 1
    return {condition: (inside, total) for condition, (inside, total) in counts.items()}
