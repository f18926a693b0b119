"""CPU time that one latency measurement of a candidate costs."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import Any

import psutil

from benchmarks.timing.latency_bench import FAMILIES, LatencyBench
from benchmarks.timing.networks import irregular_cuts, random_parent
from objectives.timing.meter import LatencyMeter

COST_IMAGE_SIZES = (160, 320)


def measurement_costs(bench: LatencyBench) -> dict[str, list[float]]:
    """Return CPU seconds of candidates by image size in px: export, loading and timing, in both processes.

    The timing process runs before, as it does in a study; building the candidate is not counted.
    """
    return {
        str(side): bench.get_or_measure(f"cost {side}", partial(_measure, bench, side))["cpu_s"]
        for side in COST_IMAGE_SIZES
    }


def _measure(bench: LatencyBench, side: int) -> dict[str, Any]:
    parent = random_parent(FAMILIES[0], side)
    spent = []
    with bench.meter(FAMILIES[0], replace(bench.target, imgsz=side)) as meter:
        meter.measure(parent.as_candidate(), 1.0)  # the first export imports modules; later ones find them imported
        for spec in irregular_cuts(parent, bench.size.cost_candidates, seed=100 + side):
            candidate = parent.build(spec)
            before = _cpu_s(meter)
            meter.measure(candidate, 1.0)
            spent.append(_cpu_s(meter) - before)
    return {"cpu_s": spent}


def _cpu_s(meter: LatencyMeter) -> float:
    """Return the CPU time so far of this process and the timing process."""
    child = psutil.Process(meter.process_id).cpu_times()
    return time.process_time() + child.user + child.system
