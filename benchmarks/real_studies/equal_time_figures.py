"""Hypervolume of studies against training time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.real_studies.equal_time import OPTUNA_STUDIES, STUDY_METHODS
from benchmarks.setup.markdown import markdown_table
from search.record.staircase import Staircase


def equal_time_figures(found: Mapping[tuple[str, int], Mapping[str, Any]]) -> dict[str, Any]:
    """Return by method the hypervolume at equal training time, and the seconds to the final one of Optuna's default.

    Args:
        found: Runs by method and seed.
    """
    figures: dict[str, Any] = {
        method: {"volume": [], "seconds": [], "trials": [], "curves": []} for method in STUDY_METHODS
    }
    for seed in sorted({seed for _, seed in found}):
        curves = {method: _hypervolume_curve(found[method, seed]) for method in STUDY_METHODS}
        budget = min(curve[-1][0] for curve in curves.values())
        goal = curves[OPTUNA_STUDIES][-1][1]
        for method, curve in curves.items():
            within = [volume for seconds, volume in curve if seconds <= budget]
            figures[method]["volume"].append(within[-1])
            figures[method]["seconds"].append(next((seconds for seconds, volume in curve if volume >= goal), None))
            figures[method]["trials"].append(len(found[method, seed]["steps"]))
            figures[method]["curves"].append(curve)
    return figures


def _hypervolume_curve(run: Mapping[str, Any]) -> list[tuple[float, float]]:
    """Return seconds and hypervolume of log latency after each network; the parent is there from the start.

    The seconds include the sensitivity analysis before the first trial.
    """
    worst_accuracy, worst_ms = run["reference"]
    latency, accuracy = [run["parent"][1]], [run["parent"][2]]

    def hypervolume() -> float:
        best = Staircase.of(np.log(latency), np.array(accuracy), float(np.log(worst_ms)), worst_accuracy)
        return best.hypervolume

    curve, spent = [(0.0, hypervolume())], float(run["before"])
    for seconds, ms, reached, _ in run["steps"]:
        spent += seconds
        if ms is not None and reached is not None:
            latency.append(ms)
            accuracy.append(reached)
        curve.append((spent, hypervolume()))
    return curve


def equal_time_table(figures: Mapping[str, Any]) -> str:
    """Return the table of methods."""
    head = [
        "method",
        "trials",
        "hypervolume at equal training time",
        "training seconds to the final hypervolume of Optuna's default",
    ]
    return markdown_table(head, [[method, *_cells(each)] for method, each in figures.items()])


def _cells(found: Mapping[str, Any]) -> list[str]:
    seconds = ["never" if each is None else f"{each:.0f}" for each in found["seconds"]]
    trials = ", ".join(str(each) for each in found["trials"])
    return [trials, ", ".join(f"{each:.4f}" for each in found["volume"]), ", ".join(seconds)]
