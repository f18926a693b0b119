"""Tables of detectors whose accuracy and latency are known: problems on which a search takes seconds, not weeks."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.record.staircase import Staircase

Values = NDArray[np.float64]

NAME = re.compile(r"(?P<family>yolo\d+(?:[sml]-)?)(?:d(?P<depth>\d+)w(?P<width>\d+)|(?P<size>[nsml]))_(?P<px>\d+)")
SIZES = {"n": (0.33, 0.25), "s": (0.33, 0.5), "m": (0.67, 0.75), "l": (1.0, 1.0)}
ACCURACIES = {"VOC from scratch": "VOC_scratch_100epochs.csv", "VOC fine-tuned": "VOC_finetuned.csv"}
DEVICES = {"OpenVINO": "openvino_latency", "VIM3": "vim3_latency", "A40": "a40_trt_latency"}
CHOSEN_ON = ("VOC from scratch", "OpenVINO")
"""The one problem that constants were chosen on."""


@dataclass(frozen=True)
class Problem:
    """A table of M detectors, one data set, one device.

    Attributes:
        params: What a sampler sees of each: names and values.
        choices: The values that each parameter can have, ascending where they are numbers.
        latency: (M,), seconds.
        accuracy: (M,), mAP50-95.
    """

    name: str
    params: Sequence[Mapping[str, Any]]
    choices: Mapping[str, Sequence[Any]]
    latency: Values
    accuracy: Values

    @cached_property
    def features(self) -> Values:
        """(M, D): numbers by rank between 0 and 1; of a category a column for each value."""
        columns = []
        for name, values in self.choices.items():
            seen = [point[name] for point in self.params]
            if isinstance(values[0], str):
                columns += [np.array([float(each == value) for each in seen]) for value in values]
            else:
                columns.append(np.array([values.index(each) for each in seen]) / max(1, len(values) - 1))
        return np.column_stack(columns)

    @property
    def predicted_loss_increase(self) -> Values | None:
        """(M,), the damage that cuts do, foretold before anything is trained; None where that is not known."""
        return None

    def drawn(self, seed: int) -> Problem:
        """What a seed searches: the whole table, where a search begins with other detectors in each seed."""
        return self

    @property
    def worst(self) -> tuple[float, float]:
        """The reference point of the hypervolume: latency of the slowest, accuracy of the least accurate."""
        return float(self.latency.max()), float(self.accuracy.min())

    @cached_property
    def best_hypervolume(self) -> float:
        """Of the whole table."""
        return self.staircase(range(len(self.latency))).hypervolume

    @property
    def plain(self) -> list[int]:
        """What people do without a search: the best family, known beforehand, in all its sizes."""
        families: list[str] = sorted({point["family"] for point in self.params})
        members = [[i for i, point in enumerate(self.params) if point["family"] == name] for name in families]
        return max(members, key=lambda chosen: self.staircase(chosen).hypervolume)

    def staircase(self, chosen: Sequence[int]) -> Staircase:
        """The front of some of them, of log latency: in seconds one family in all its sizes would have 99.8 %."""
        at = np.array(chosen, dtype=int)
        slowest, least = self.worst
        return Staircase.of(np.log(self.latency[at]), self.accuracy[at], float(np.log(slowest)), least)

    def shares(self, chosen: Sequence[int]) -> Values:
        """(len(chosen),): the share of the best hypervolume after each training."""
        volumes = [self.staircase(chosen[: count + 1]).hypervolume for count in range(len(chosen))]
        return np.array(volumes) / self.best_hypervolume

    @cached_property
    def _by_params(self) -> dict[tuple[Any, ...], int]:
        return {tuple(point.values()): index for index, point in enumerate(self.params)}

    def nearest(self, asked: Mapping[str, Any]) -> int:
        """The detector that is asked for, or the one of equal categories that comes nearest."""
        found = self._by_params.get(tuple(asked[name] for name in self.choices))
        if found is not None:
            return found
        categories = [name for name, values in self.choices.items() if isinstance(values[0], str)]
        numbers = [name for name in self.choices if name not in categories]

        def distance(point: Mapping[str, Any]) -> tuple[int, float]:
            differ = sum(point[name] != asked[name] for name in categories)
            steps = [self.choices[name].index(point[name]) - self.choices[name].index(asked[name]) for name in numbers]
            return differ, float(np.square(steps).sum())

        return min(range(len(self.params)), key=lambda index: distance(self.params[index]))


def yolobench(folder: Path) -> list[Problem]:
    """Every problem of the published table, or of the part of it that lies in the folder.

    Raises:
        FileNotFoundError: If the folder holds no such table.
    """
    with (folder / "latency.csv").open(newline="") as file:
        latencies = {row["model_name"]: row for row in csv.DictReader(file)}
    problems = []
    for data, name in ACCURACIES.items():
        with (folder / name).open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["model_name"] in latencies]
        params = [_params(row["model_name"]) for row in rows]
        choices = {key: sorted({point[key] for point in params}) for key in params[0]}
        accuracy = np.array([float(row["mAP_0.5:0.95"]) for row in rows])
        for device, column in DEVICES.items():
            latency = np.array([float(latencies[row["model_name"]][column]) for row in rows])
            problems.append(Problem(f"{data}, {device}", params, choices, latency, accuracy))
    return problems


def _params(name: str) -> dict[str, Any]:
    found = NAME.fullmatch(name)
    if found is None:
        raise ValueError(f"'{name}' is no name such as yolo8d33w25_320 or yolo8n_320")
    if found["size"]:
        depth, width = SIZES[found["size"]]
    else:
        depth, width = (float(f"0.{digits}") if digits != "1" else 1.0 for digits in (found["depth"], found["width"]))
    return {"family": found["family"], "depth": depth, "width": width, "px": int(found["px"])}
