"""Candidates to choose from, as parameters: random ones, and neighbours of the best trials. Independent of Optuna."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from search.record.staircase import Staircase, Values
from spaces.base import Categorical, Float, Integer, Parameter, ParameterRole, ParamValue

Point = Mapping[str, ParamValue]

NEIGHBOUR_SHARE = 0.6
"""Share of a pool that are neighbours of good points; the others are drawn from the whole space."""

CHANGED_COUNTS = (1, 2, 4, 8)
"""Numbers of parameters that a neighbour may differ in."""

EVEN_SHARES = tuple(round(1.0 - 0.05 * step, 2) for step in range(1, 15))
"""Shares of its widths that even cuts of a point have."""

STEP_SD = 0.15
"""Standard deviation of the change of a neighbour's number, as a share of the parameter's range."""


@dataclass(frozen=True)
class CandidatePool:
    """Draws points of one space and describes them as numbers."""

    parameters: Mapping[str, Parameter]

    @property
    def columns(self) -> int:
        """Number of features of a point."""
        return sum(len(p.options) if isinstance(p, Categorical) else 1 for p in self.parameters.values())

    def features(self, points: Sequence[Point]) -> Values:
        """Return features between 0 and 1, shape (M, D); a categorical parameter has one column for each option."""
        columns: list[list[float]] = []
        for name, parameter in self.parameters.items():
            seen = [point[name] for point in points]
            if isinstance(parameter, Categorical):
                columns += [[float(value == option) for value in seen] for option in parameter.options]
            else:
                columns.append([_share(parameter, float(value)) for value in seen])
        return np.array(columns, dtype=np.float64).reshape(len(columns), len(points)).T

    def draw(self, count: int, good: Sequence[Point], random: np.random.Generator) -> list[Point]:
        """Return `count` points; some of them may be equal.

        Args:
            good: Points whose neighbours are drawn too; may be empty.
        """
        near = round(NEIGHBOUR_SHARE * count) if good else 0
        neighbours = [self._neighbour(good, random) for _ in range(near)]
        return [*neighbours, *(self._anywhere(random) for _ in range(count - near))]

    def completed(self, point: Point, random: np.random.Generator) -> Point:
        """Return the point, with random values for the parameters that it lacks."""
        return {**self._anywhere(random), **point}

    def clipped(self, points: Sequence[Point], wider: Point | None) -> list[Point]:
        """Return the points with no width above that of a wider one, and with its donors; unchanged without one."""
        if wider is None:
            return [*points]
        donors = [name for name, each in self.parameters.items() if each.role is ParameterRole.DONOR]
        roles = ParameterRole.WIDTH, ParameterRole.DEPTH
        sizes = [name for name, each in self.parameters.items() if each.role in roles]
        return [
            {
                **point,
                **{name: wider[name] for name in donors},
                **{name: min(point[name], wider[name], key=float) for name in sizes},
            }
            for point in points
        ]

    def even_cuts(self, point: Point) -> list[Point]:
        """Return the point with all widths at the same share of its own, for several shares."""
        widths = {name: each for name, each in self.parameters.items() if each.role is ParameterRole.WIDTH}
        cuts: list[Point] = []
        for share in EVEN_SHARES:
            cut = dict(point)
            for name, parameter in widths.items():
                if not isinstance(parameter, Categorical):
                    cut[name] = _valued(parameter, _share(parameter, share * float(point[name])))
            cuts.append(cut)
        return cuts

    def _anywhere(self, random: np.random.Generator) -> Point:
        """Draw all numbers around one common level: independent draws would give networks of medium size only."""
        level, scatter = random.uniform(0.0, 1.0), random.choice((0.0, 0.1, 0.3))
        point: dict[str, ParamValue] = {}
        for name, parameter in self.parameters.items():
            if isinstance(parameter, Categorical):
                point[name] = parameter.options[random.integers(len(parameter.options))]
            else:
                point[name] = _valued(parameter, level + scatter * random.uniform(-1.0, 1.0))
        return point

    def _neighbour(self, good: Sequence[Point], random: np.random.Generator) -> Point:
        """Return a good point, perhaps crossed with another one, with a few parameters changed."""
        first, second = (good[int(random.integers(len(good)))] for _ in range(2))
        crossed = random.random() < 0.5
        point = {name: (second if crossed and random.random() < 0.5 else first)[name] for name in self.parameters}
        names = list(self.parameters)
        together = random.random() < 0.3  # all numbers a little larger or smaller
        step = STEP_SD * random.standard_normal()
        count = len(names) if together else min(random.choice(CHANGED_COUNTS), len(names))
        for name in names if together else random.choice(names, count, replace=False):
            parameter = self.parameters[name]
            if isinstance(parameter, Categorical):
                if not together:
                    point[name] = parameter.options[random.integers(len(parameter.options))]
            else:
                share = _share(parameter, float(point[name]))
                point[name] = _valued(parameter, share + (step if together else STEP_SD * random.standard_normal()))
        return point


def non_dominated_points(known: Sequence[tuple[Point, float, float]]) -> list[Point]:
    """Return the points that are not dominated.

    Args:
        known: Points with latency and accuracy.
    """
    if not known:
        return []
    latency, accuracy = (np.array([each[place] for each in known]) for place in (1, 2))
    best = Staircase.of(latency, accuracy, np.inf, -np.inf)
    members = set(zip(best.latency.tolist(), best.accuracy.tolist(), strict=True))
    return [params for params, ms, reached in known if (ms, reached) in members]


def _share(parameter: Float | Integer, value: float) -> float:
    """Return the position of a value in its range, 0 to 1. Plain Python, because NumPy is slow on single numbers."""
    low, high = float(parameter.low), float(parameter.high)
    if isinstance(parameter, Float) and parameter.log:
        low, high, value = math.log(low), math.log(high), math.log(value)
    return min(1.0, max(0.0, (value - low) / (high - low))) if high > low else 0.0


def _valued(parameter: Float | Integer, share: float) -> ParamValue:
    """Return the value at a position of the range, 0 to 1, on the parameter's grid."""
    low, high = float(parameter.low), float(parameter.high)
    share = min(1.0, max(0.0, float(share)))
    if isinstance(parameter, Float) and parameter.log:
        return min(high, max(low, math.exp(math.log(low) + share * (math.log(high) - math.log(low)))))
    value = low + share * (high - low)
    if not parameter.step:
        return value
    steps = min(round((value - low) / parameter.step), int((high - low) / parameter.step + 1e-9))
    return min(parameter.high, parameter.low + steps * parameter.step)  # 0.1 + 2 * 0.1 is more than 0.3
