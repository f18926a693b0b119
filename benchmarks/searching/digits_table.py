"""The table of variants (`benchmarks.variants`) as search problems: one for each runtime.

Constants are chosen on every other ten variants; searches are scored on those between them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.searching.problems import TableProblem, Vector
from benchmarks.variant_table.stored_table import MIN_RATIO, TABLE, read_rows, read_sensitivity
from objectives.base import EpochResult
from search.sampler.candidate_pool import CandidatePool
from search.sampler.network_features import NetworkFeatures
from spaces.allocation.summed_sensitivity import SummedSensitivity
from spaces.base import Categorical, Float, Parameter, ParameterRole

DRAWN_SHARE = 0.9
"""Share of the variants that a seed searches."""
DRAW_STREAM = 1
"""Second seed of that draw, so that it is independent of the search's own random numbers."""
DELAY_LIMIT = 2.0
"""Ratio to the median training time above which a training counts as delayed by other work.

One training in seven was above it, one of them at ninety times the median.
"""


@dataclass(frozen=True)
class VariantProblem(TableProblem):
    """The variants as a problem.

    Attributes:
        rows: The stored rows.
        curves: The learning curve of each variant; epoch 0 is before training.
        sensitivity: The loss increase when each group of the parent is halved.
        sensitivity_s: Seconds that it took to measure the sensitivity.
    """

    rows: Sequence[dict[str, Any]]
    curves: tuple[tuple[EpochResult, ...], ...]
    sensitivity: SummedSensitivity
    sensitivity_s: float

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """The space that the variants were drawn from."""
        return {
            name: Categorical(tuple(values), role=ParameterRole.DONOR)
            if isinstance(values[0], str)
            else Float(MIN_RATIO, 1.0, role=ParameterRole.WIDTH)
            for name, values in self.choices.items()
        }

    @cached_property
    def features(self) -> Vector:
        """(M, D), the networks as a study's sampler describes them."""
        features = NetworkFeatures(self.parameters, self.sensitivity.whole, self.sensitivity)
        return features.of(self.params, [row["widths"] for row in self.rows])

    @cached_property
    def predicted_loss_increase(self) -> Vector:
        """See `TableProblem`."""
        return self.sensitivity.total([row["widths"] for row in self.rows])

    @cached_property
    def parameter_features(self) -> Vector:
        """(M, D), the parameters as numbers, as a sampler that knows no networks gets them."""
        return CandidatePool(self.parameters).features(self.params)

    @property
    def uniformly_scaled(self) -> list[int]:
        """The variants whose groups all have the same ratio, from any donors."""
        ratios = [name for name, each in self.parameters.items() if each.role is ParameterRole.WIDTH]
        return [index for index, point in enumerate(self.params) if len({point[name] for name in ratios}) == 1]

    def nearest(self, params: Mapping[str, Any]) -> int:
        """See `TableProblem`."""
        wanted = CandidatePool(self.parameters).features([params])
        distance = np.square(self.parameter_features - wanted).sum(axis=1)
        return int(np.argmin(distance + len(self.choices) * self._other_donors(params)))

    def _other_donors(self, params: Mapping[str, Any]) -> Vector:
        names = [name for name, each in self.parameters.items() if each.role is ParameterRole.DONOR]
        return np.array([sum(point[name] != params[name] for name in names) for point in self.params], dtype=np.float64)

    @cached_property
    def training_seconds(self) -> Vector:
        """(M,), the time of each training; one that other work delayed counts as the median."""
        spent = np.array([sum(each.seconds for each in curve[1:]) for curve in self.curves])
        return np.where(spent > DELAY_LIMIT * np.median(spent), np.median(spent), spent)

    @cached_property
    def front(self) -> tuple[int, ...]:
        """The variants on the true front, fastest first."""
        best = self.staircase(range(len(self.latency)))
        members = set(zip(best.latency.tolist(), best.accuracy.tolist(), strict=True))
        log_latency = np.log(self.latency)
        found = [index for index in range(len(log_latency)) if (log_latency[index], self.accuracy[index]) in members]
        return tuple(sorted(found, key=lambda index: float(self.latency[index])))

    def latency_parts(self, parts: int) -> NDArray[np.intp]:
        """Divide the range of log latency into equal parts; return the part of each variant, shape (M,)."""
        place = np.log(self.latency / self.latency.min()) / np.log(self.latency.max() / self.latency.min())
        found: NDArray[np.intp] = np.minimum((place * parts).astype(np.intp), parts - 1)
        return found

    def draw(self, seed: int) -> VariantProblem:
        """Draw nine tenths of the variants at random, and one training of those that have several."""
        random = np.random.default_rng([seed, DRAW_STREAM])
        count = len(self.rows)
        kept = np.sort(random.choice(count, round(DRAWN_SHARE * count), replace=False))
        rows = [self.rows[index] for index in kept]
        curves = tuple(_curve(row["curves"][random.choice(sorted(row["curves"]))]) for row in rows)
        return replace(
            self,
            params=[self.params[index] for index in kept],
            latency=self.latency[kept],
            accuracy=_best_accuracy(curves),
            rows=rows,
            curves=curves,
        )

    @cached_property
    def noise(self) -> float:
        """Standard deviation of the final mAP50-95 between seeds, from the variants that were trained with several."""
        ends = [[_curve(each)[-1].map50_95 for each in row["curves"].values()] for row in self.rows]
        several = [np.var(each, ddof=1) for each in ends if len(each) > 1]
        return float(np.sqrt(np.mean(several))) if several else float("nan")


def digits_problems(folder: Path = TABLE, *, tuning_half: bool = False) -> list[VariantProblem]:
    """Return a problem for each runtime; accuracy is that of the best epoch, latency is a ratio to the parent's.

    Args:
        tuning_half: Return the half of the table that constants are chosen on, not the half that is scored.

    Raises:
        FileNotFoundError: If there is no table.
    """
    rows = [row for row in read_rows(folder) if row["curves"] and (row["number"] // 10 % 2 == 0) == tuning_half]
    if not rows:
        raise FileNotFoundError(f"no table of variants in {folder}; `python -m benchmarks.variants` makes it")
    sensitivity, sensitivity_s = read_sensitivity(folder)
    params = [row["params"] for row in rows]
    choices = {name: sorted({point[name] for point in params}) for name in params[0]}
    curves = tuple(_curve(row["curves"]["0"]) for row in rows)
    return [
        VariantProblem(
            f"digits, {runtime}",
            params,
            choices,
            np.array([row["latency"][runtime][0] for row in rows]),
            _best_accuracy(curves),
            tuple(rows),
            curves,
            sensitivity,
            sensitivity_s,
        )
        for runtime in rows[0]["latency"]
    ]


def _best_accuracy(curves: Sequence[Sequence[EpochResult]]) -> Vector:
    return np.array([max(each.map50_95 for each in curve[1:]) for curve in curves])


def _curve(points: Sequence[Sequence[float]]) -> tuple[EpochResult, ...]:
    return tuple(EpochResult(epoch, *point) for epoch, point in enumerate(points))
