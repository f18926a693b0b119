"""Tables of detectors whose accuracy and latency are known: on them a search takes seconds instead of weeks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.record.staircase import Staircase

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class TableProblem:
    """A table of M detectors for one data set and one device.

    Attributes:
        params: The parameters of each detector, by name, as a sampler knows them.
        choices: The values of each parameter, in ascending order if they are numbers.
        latency: (M,), seconds.
        accuracy: (M,), mAP50-95.
    """

    name: str
    params: Sequence[Mapping[str, Any]]
    choices: Mapping[str, Sequence[Any]]
    latency: Vector
    accuracy: Vector

    @cached_property
    def features(self) -> Vector:
        """(M, D): a number's rank, scaled to 0 to 1; one column for each value of a category."""
        columns = []
        for name, values in self.choices.items():
            own = [point[name] for point in self.params]
            if isinstance(values[0], str):
                columns += [np.array([float(each == value) for each in own]) for value in values]
            else:
                columns.append(np.array([values.index(each) for each in own]) / max(1, len(values) - 1))
        return np.column_stack(columns)

    @property
    def predicted_loss_increase(self) -> Vector | None:
        """(M,), the loss increase that is predicted before any training; None if it is not known."""
        return None

    @property
    def expected(self) -> Vector | None:
        """(M,), what a prior mean of accuracy expects, in any unit; None without one."""
        return None

    def draw(self, seed: int) -> TableProblem:
        """Return the detectors that a seed searches: the whole table, where each seed begins with other detectors."""
        return self

    @property
    def worst(self) -> tuple[float, float]:
        """The reference point of the hypervolume: latency of the slowest, accuracy of the least accurate detector."""
        return float(self.latency.max()), float(self.accuracy.min())

    @cached_property
    def best_hypervolume(self) -> float:
        """The hypervolume of the whole table."""
        return self.staircase(range(len(self.latency))).hypervolume

    @property
    def uniformly_scaled(self) -> list[int]:
        """The detectors of the best family, known beforehand, in all its sizes: the usual choice without a search."""
        families: list[str] = sorted({point["family"] for point in self.params})
        members = [[i for i, point in enumerate(self.params) if point["family"] == name] for name in families]
        return max(members, key=lambda chosen: self.staircase(chosen).hypervolume)

    def staircase(self, chosen: Sequence[int]) -> Staircase:
        """Return the front of these detectors, of log latency: in seconds one family alone would have 99.8 %."""
        at = np.array(chosen, dtype=int)
        slowest, lowest = self.worst
        return Staircase.of(np.log(self.latency[at]), self.accuracy[at], float(np.log(slowest)), lowest)

    def hypervolume_shares(self, chosen: Sequence[int]) -> Vector:
        """Return the share of the best hypervolume after each training, shape (len(chosen),)."""
        volumes = [self.staircase(chosen[: count + 1]).hypervolume for count in range(len(chosen))]
        return np.array(volumes) / self.best_hypervolume

    @cached_property
    def _by_params(self) -> dict[tuple[Any, ...], int]:
        return {tuple(point.values()): index for index, point in enumerate(self.params)}

    def nearest(self, params: Mapping[str, Any]) -> int:
        """Return the detector with these parameters, or the nearest one, compared by categories first."""
        found = self._by_params.get(tuple(params[name] for name in self.choices))
        if found is not None:
            return found
        categories = [name for name, values in self.choices.items() if isinstance(values[0], str)]
        numbers = [name for name in self.choices if name not in categories]

        def distance(point: Mapping[str, Any]) -> tuple[int, float]:
            differ = sum(point[name] != params[name] for name in categories)
            steps = [self.choices[name].index(point[name]) - self.choices[name].index(params[name]) for name in numbers]
            return differ, float(np.square(steps).sum())

        return min(range(len(self.params)), key=lambda index: distance(self.params[index]))
