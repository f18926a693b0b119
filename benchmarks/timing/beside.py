"""What a measurement costs, and whether foreign work moves it: a candidate's CPU time, and figures alone and beside."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import psutil

from benchmarks.timing.load import Trainings
from benchmarks.timing.networks import irregular, parent_of
from benchmarks.timing.setup import FAMILIES, Setup, told
from objectives.timing.meter import LatencyMeter

COST_SIDES = (160, 320)
FOREIGN = 3
FOREIGN_NETWORKS = 2  # of each ladder


def costs(setup: Setup) -> dict[str, list[float]]:
    """CPU seconds of a candidate by image size in px: export, loading and timing, in both processes.

    The timing process runs already, as it does in a study; building the candidate is not counted.
    """
    found = {}
    for side in COST_SIDES:
        work = partial(_costs, setup, side)
        found[str(side)] = setup.kept(f"cost {side}", work)["cpu_s"]
    return found


def _costs(setup: Setup, side: int) -> dict[str, Any]:
    parent = parent_of(FAMILIES[0], side)
    spent = []
    with setup.meter(FAMILIES[0], replace(setup.target, imgsz=side)) as meter:
        meter.measure(parent.as_candidate(), 1.0)  # the first export imports what the others find imported
        for spec in irregular(parent, setup.size.cost_candidates, seed=100 + side):
            candidate = parent.build(spec)
            before = _cpu_s(meter)
            meter.measure(candidate, 1.0)
            spent.append(_cpu_s(meter) - before)
    return {"cpu_s": spent}


def _cpu_s(meter: LatencyMeter) -> float:
    """So far, of this process and the timing process."""
    child = psutil.Process(meter.process_id).cpu_times()
    return time.process_time() + child.user + child.system


def foreign(setup: Setup) -> list[dict[str, Any]]:
    """The same networks measured alone and while three trainings run that do not take our lock, by turns."""
    ladders = setup.ladders
    device = "cpu" if setup.target.provider == "cpu" else "cuda"
    with Trainings(FOREIGN, device) as trainings, setup.meters() as meters:
        for meter in meters.values():
            meter.reference_ms()

        def pair(family: str, place: int) -> dict[str, Any]:
            rung = next(rungs for rungs in ladders if rungs[0].family == family)[place]
            file = setup.file(rung, place)
            alone = told(meters[family].time_file(file), setup.target.clock)
            with trainings.working(FOREIGN):
                beside = told(meters[family].time_file(file), setup.target.clock)
            return {"network": rung.name(place), "alone": alone, "beside": beside}

        return [
            setup.kept(f"foreign {number} {family} {place}", partial(pair, family, place))
            for number in range(setup.size.foreign_rounds)
            for family in FAMILIES
            for place in range(FOREIGN_NETWORKS)
        ]


def differences(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    """How far the figure beside foreign work lies from the one alone: single measurements, and medians by network."""
    single = np.array([pair["beside"]["ratio"] / pair["alone"]["ratio"] - 1 for pair in pairs])
    names = sorted({pair["network"] for pair in pairs})
    by_network = {name: _moved([pair for pair in pairs if pair["network"] == name]) for name in names}
    low, high = np.percentile(single, (5, 95))
    return {
        "median": float(np.median(single)),
        "percentile_5": float(low),
        "percentile_95": float(high),
        "largest": float(np.abs(single).max()),
        "within_2_percent": float(np.mean(np.abs(single) <= 0.02)),
        "measurements": len(single),
        "by_network": by_network,
    }


def _moved(pairs: list[dict[str, Any]]) -> float:
    alone, beside = (np.median([pair[which]["ratio"] for pair in pairs]) for which in ("alone", "beside"))
    return float(beside / alone - 1)
