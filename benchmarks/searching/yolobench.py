"""YOLOBench (Lazarevich et al., arXiv 2307.13901): the published tables as search problems."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.searching.problems import TableProblem, Vector
from search.sampler.prior_mean import FinishedStudy, NetworkSizes, PriorMean, prior_of_public_tables

MODEL_NAME = re.compile(
    r"(?P<family>yolo\d+(?:[sml]-)?)(?:d(?P<depth>\d+)w(?P<width>\d+)|(?P<size>[nsml]))_(?P<px>\d+)"
)
MODEL_SIZES = {"n": (0.33, 0.25), "s": (0.33, 0.5), "m": (0.67, 0.75), "l": (1.0, 1.0)}
ACCURACY_FILES = {"VOC from scratch": "VOC_scratch_100epochs.csv", "VOC fine-tuned": "VOC_finetuned.csv"}
LATENCY_COLUMNS = {"OpenVINO": "openvino_latency", "VIM3": "vim3_latency", "A40": "a40_trt_latency"}
USUAL_PX = 320
"""Image size whose logarithm counts as 0 in the prior mean."""
TUNING_PROBLEM = ("VOC from scratch", "OpenVINO")
"""The only published problem that the constants of our sampler were chosen on."""


@dataclass(frozen=True)
class SizedProblem(TableProblem):
    """A published table; each of its detectors has a family, a depth, a width and an image size.

    Attributes:
        prior: The prior mean that the project's sampler is given, if any.
    """

    prior: PriorMean | None = None

    @cached_property
    def expected(self) -> Vector | None:
        """See `TableProblem`."""
        return None if self.prior is None else self.prior.expect(self.sizes)

    @cached_property
    def sizes(self) -> NetworkSizes:
        """Sizes of the detectors, as the prior mean knows them."""
        logarithms = np.log([[each["depth"], each["width"], each["px"] / USUAL_PX] for each in self.params])
        return NetworkSizes(logarithms, [each["family"] for each in self.params])

    @property
    def as_finished(self) -> FinishedStudy:
        """The table as a finished study, which the prior mean is learnt from."""
        return FinishedStudy(self.sizes, self.accuracy)

    def part(self, chosen: Sequence[int]) -> SizedProblem:
        """Return the problem with these detectors alone."""
        params = [self.params[index] for index in chosen]
        choices: Mapping[str, Sequence[Any]] = {name: sorted({each[name] for each in params}) for name in self.choices}
        latency, accuracy = self.latency[list(chosen)], self.accuracy[list(chosen)]
        return replace(self, params=params, choices=choices, latency=latency, accuracy=accuracy)


def accuracy_files(folder: Path) -> dict[str, str]:
    """Return file names by data set: the two VOC tables, and further published tables in the same folder."""
    others = {path.stem: path.name for path in sorted(folder.glob("*_*.csv"))}
    known = ACCURACY_FILES.values()
    return {**ACCURACY_FILES, **{data: name for data, name in others.items() if name not in known}}


def yolobench_problems(folder: Path) -> list[SizedProblem]:
    """Return a problem for each data set and device of the published tables.

    Tables that the shipped prior mean was not learnt from are searched with it.

    Raises:
        FileNotFoundError: If the folder does not hold the tables.
    """
    with (folder / "latency.csv").open(newline="") as file:
        latencies = {row["model_name"]: row for row in csv.DictReader(file)}
    problems = []
    for data, name in accuracy_files(folder).items():
        with (folder / name).open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["model_name"] in latencies]
        params = [_params(row["model_name"]) for row in rows]
        choices = {key: sorted({point[key] for point in params}) for key in params[0]}
        accuracy = np.array([float(row["mAP_0.5:0.95"]) for row in rows])
        prior = None if data in ACCURACY_FILES else prior_of_public_tables()
        for device, column in LATENCY_COLUMNS.items():
            latency = np.array([float(latencies[row["model_name"]][column]) for row in rows])
            problems.append(SizedProblem(f"{data}, {device}", params, choices, latency, accuracy, prior))
    return problems


def _params(name: str) -> dict[str, Any]:
    found = MODEL_NAME.fullmatch(name)
    if found is None:
        raise ValueError(f"'{name}' is no name such as yolo8d33w25_320 or yolo8n_320")
    if found["size"]:
        depth, width = MODEL_SIZES[found["size"]]
    else:
        depth, width = (float(f"0.{digits}") if digits != "1" else 1.0 for digits in (found["depth"], found["width"]))
    return {"family": found["family"], "depth": depth, "width": width, "px": int(found["px"])}
