"""The table of cut and grafted variants (`benchmarks.variants`) as problems for searches: one for each runtime.

Choices are made on every other ten variants; a search is scored on those between them.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.searching.problems import Problem
from objectives.base import EpochResult
from search.sampler.candidate_pool import CandidatePool
from search.sampler.network_features import NetworkFeatures
from spaces.allocation.summed_sensitivity import SummedSensitivity
from spaces.base import Categorical, Float, Parameter

Values = NDArray[np.float64]

ROWS = "variants.jsonl.gz"
HALVED = "halved.json"
TABLE = Path(__file__).parents[1] / "tables" / "digits"
KEPT, DRAWN = 0.9, 1
"""Share of the variants that a seed draws, and what makes its chance another one than that of the search."""
LOW = 0.25
"""The least ratio of a group, as `benchmarks.variant_table.made` has it."""

HELD_UP = 2.0
"""Times the median training: what took longer, one in seven, up to ninety times, did not work all the time."""


@dataclass(frozen=True)
class Variants(Problem):
    """The variants as a problem.

    Attributes:
        rows: As they are stored.
        curves: The learning curve of each; epoch 0 is before training.
        sensitivity: What halving each group of the parent does.
        measured_s: Seconds that it took to measure that.
    """

    rows: Sequence[dict[str, Any]] = ()
    curves: tuple[tuple[EpochResult, ...], ...] = ()
    sensitivity: SummedSensitivity | None = None
    measured_s: float = 0.0

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """The space that the variants were drawn from."""
        return {
            name: Categorical(tuple(values)) if isinstance(values[0], str) else Float(LOW, 1.0)
            for name, values in self.choices.items()
        }

    @cached_property
    def features(self) -> Values:
        """(M, D), as a study's sampler describes networks."""
        assert self.sensitivity is not None
        described = NetworkFeatures(self.parameters, self.sensitivity.whole, self.sensitivity)
        return described.of(self.params, [row["widths"] for row in self.rows])

    @cached_property
    def predicted_loss_increase(self) -> Values:
        """See `Problem`."""
        assert self.sensitivity is not None
        return self.sensitivity.total([row["widths"] for row in self.rows])

    @cached_property
    def asked(self) -> Values:
        """(M, D), the parameters as numbers: what a sampler is told that sees no networks."""
        return CandidatePool(self.parameters).features(self.params)

    @property
    def plain(self) -> list[int]:
        """Those whose groups are all cut alike, whatever donors they come from."""
        ratios = [name for name in self.choices if name.startswith("ratio.")]
        return [index for index, point in enumerate(self.params) if len({point[name] for name in ratios}) == 1]

    def nearest(self, asked: Mapping[str, Any]) -> int:
        """See `Problem`."""
        distance = np.square(self.asked - CandidatePool(self.parameters).features([asked])).sum(axis=1)
        return int(np.argmin(distance + len(self.choices) * self._other_donors(asked)))

    def _other_donors(self, asked: Mapping[str, Any]) -> Values:
        names = [name for name, values in self.choices.items() if isinstance(values[0], str)]
        return np.array([sum(point[name] != asked[name] for name in names) for point in self.params], dtype=np.float64)

    @cached_property
    def seconds(self) -> Values:
        """(M,): how long each was trained; what was held up by other work on the machine counts as the median."""
        spent = np.array([sum(each.seconds for each in curve[1:]) for curve in self.curves])
        return np.where(spent > HELD_UP * np.median(spent), np.median(spent), spent)

    @cached_property
    def front(self) -> tuple[int, ...]:
        """Variants on the true front, fastest first."""
        best = self.staircase(range(len(self.latency)))
        members = set(zip(best.latency.tolist(), best.accuracy.tolist(), strict=True))
        log_latency = np.log(self.latency)
        found = [index for index in range(len(log_latency)) if (log_latency[index], self.accuracy[index]) in members]
        return tuple(sorted(found, key=lambda index: float(self.latency[index])))

    def tenths(self, parts: int) -> NDArray[np.intp]:
        """(M,): in which of so many equal parts of the range of log latency each variant lies."""
        place = np.log(self.latency / self.latency.min()) / np.log(self.latency.max() / self.latency.min())
        return np.minimum((place * parts).astype(int), parts - 1)

    def drawn(self, seed: int) -> Variants:
        """Nine tenths of the variants, drawn by chance, and of those with several trainings any one."""
        random = np.random.default_rng([seed, DRAWN])
        count = len(self.rows)
        kept = np.sort(random.choice(count, round(KEPT * count), replace=False))
        rows = [self.rows[index] for index in kept]
        curves = tuple(_curve(row["curves"][random.choice(sorted(row["curves"]))]) for row in rows)
        return replace(
            self,
            params=[self.params[index] for index in kept],
            latency=self.latency[kept],
            accuracy=_reached(curves),
            rows=rows,
            curves=curves,
        )

    @cached_property
    def noise(self) -> float:
        """Standard deviation of the final mAP50-95 between seeds, of the variants that were trained with several."""
        ends = [[_curve(each)[-1].map50_95 for each in row["curves"].values()] for row in self.rows]
        several = [np.var(each, ddof=1) for each in ends if len(each) > 1]
        return float(np.sqrt(np.mean(several))) if several else float("nan")


def digits_problems(folder: Path = TABLE, *, chosen_on: bool = False) -> list[Variants]:
    """A problem for each runtime: accuracy is the best of a variant's epochs, latency a ratio to the parent's.

    Args:
        chosen_on: The half of the table that choices were made on, instead of the one that is scored on.

    Raises:
        FileNotFoundError: If the table is not there.
    """
    rows = [row for row in read_rows(folder) if row["curves"] and (row["number"] // 10 % 2 == 0) == chosen_on]
    if not rows:
        raise FileNotFoundError(f"no table of variants in {folder}; `python -m benchmarks.variants` makes it")
    sensitivity, measured_s = halved(folder)
    params = [row["params"] for row in rows]
    choices = {name: sorted({point[name] for point in params}) for name in params[0]}
    curves = tuple(_curve(row["curves"]["0"]) for row in rows)
    return [
        Variants(
            f"digits, {runtime}",
            params,
            choices,
            np.array([row["latency"][runtime][0] for row in rows]),
            _reached(curves),
            tuple(rows),
            curves,
            sensitivity,
            measured_s,
        )
        for runtime in rows[0]["latency"]
    ]


def halved(folder: Path) -> tuple[SummedSensitivity, float]:
    """What halving each group of the table's parent does, and the seconds that it took to measure."""
    found = json.loads((folder / HALVED).read_text(encoding="utf-8"))
    measured_s = found.pop("seconds")
    return SummedSensitivity(**found), measured_s


def read_rows(table: Path) -> list[dict[str, Any]]:
    """The rows of a table, by number; none where it is not there."""
    file = table / ROWS
    if not file.exists():
        return []
    return [json.loads(line) for line in gzip.decompress(file.read_bytes()).decode().splitlines()]


def _reached(curves: Sequence[Sequence[EpochResult]]) -> Values:
    return np.array([max(each.map50_95 for each in curve[1:]) for curve in curves])


def _curve(points: Sequence[Sequence[float]]) -> tuple[EpochResult, ...]:
    return tuple(EpochResult(epoch, *point) for epoch, point in enumerate(points))
