"""YOLOBench (Lazarevich et al., arXiv 2307.13901): the published tables as search problems."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.searching.problems import TableProblem

MODEL_NAME = re.compile(
    r"(?P<family>yolo\d+(?:[sml]-)?)(?:d(?P<depth>\d+)w(?P<width>\d+)|(?P<size>[nsml]))_(?P<px>\d+)"
)
MODEL_SIZES = {"n": (0.33, 0.25), "s": (0.33, 0.5), "m": (0.67, 0.75), "l": (1.0, 1.0)}
ACCURACY_FILES = {"VOC from scratch": "VOC_scratch_100epochs.csv", "VOC fine-tuned": "VOC_finetuned.csv"}
LATENCY_COLUMNS = {"OpenVINO": "openvino_latency", "VIM3": "vim3_latency", "A40": "a40_trt_latency"}
TUNING_PROBLEM = ("VOC from scratch", "OpenVINO")
"""The only published problem that the constants of our sampler were chosen on."""


def yolobench_problems(folder: Path) -> list[TableProblem]:
    """Return a problem for each data set and device of the published tables.

    Raises:
        FileNotFoundError: If the folder does not hold the tables.
    """
    with (folder / "latency.csv").open(newline="") as file:
        latencies = {row["model_name"]: row for row in csv.DictReader(file)}
    problems = []
    for data, name in ACCURACY_FILES.items():
        with (folder / name).open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["model_name"] in latencies]
        params = [_params(row["model_name"]) for row in rows]
        choices = {key: sorted({point[key] for point in params}) for key in params[0]}
        accuracy = np.array([float(row["mAP_0.5:0.95"]) for row in rows])
        for device, column in LATENCY_COLUMNS.items():
            latency = np.array([float(latencies[row["model_name"]][column]) for row in rows])
            problems.append(TableProblem(f"{data}, {device}", params, choices, latency, accuracy))
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
