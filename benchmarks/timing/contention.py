"""Contention: latency of the same networks measured alone, and beside trainings that do not take our lock."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from benchmarks.timing.background_load import BackgroundTrainings
from benchmarks.timing.latency_bench import FAMILIES, LatencyBench, timing_figures

CONTENTION_TRAININGS = 3
CONTENTION_NETWORKS = 2
"""Networks of each ladder."""


def measure_contention(bench: LatencyBench) -> list[dict[str, Any]]:
    """Measure each network alone and then beside three trainings, several times."""
    ladders = bench.ladders  # found before anything else runs
    with BackgroundTrainings(CONTENTION_TRAININGS, bench.torch_device) as trainings, bench.meters() as meters:
        for meter in meters.values():
            meter.reference_ms()

        def measure_pair(family: str, place: int) -> dict[str, Any]:
            network = next(ladder for ladder in ladders if ladder[0].family == family)[place]
            file = bench.file(network, place)
            alone = timing_figures(meters[family].time_file(file), bench.target.clock)
            with trainings.running(CONTENTION_TRAININGS):
                beside = timing_figures(meters[family].time_file(file), bench.target.clock)
            return {"network": network.name(place), "alone": alone, "beside": beside}

        return [
            bench.get_or_measure(f"foreign {number} {family} {place}", partial(measure_pair, family, place))
            for number in range(bench.size.foreign_rounds)
            for family in FAMILIES
            for place in range(CONTENTION_NETWORKS)
        ]


def contention_shifts(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the relative shift of latency beside other work: of single measurements, and of medians by network."""
    single = np.array([pair["beside"]["ratio"] / pair["alone"]["ratio"] - 1 for pair in pairs])
    names = sorted({pair["network"] for pair in pairs})
    low, high = np.percentile(single, (5, 95))
    return {
        "median": float(np.median(single)),
        "percentile_5": float(low),
        "percentile_95": float(high),
        "largest": float(np.abs(single).max()),
        "within_2_percent": float(np.mean(np.abs(single) <= 0.02)),
        "measurements": len(single),
        "by_network": {name: _shift([pair for pair in pairs if pair["network"] == name]) for name in names},
    }


def _shift(pairs: list[dict[str, Any]]) -> float:
    alone, beside = (np.median([pair[which]["ratio"] for pair in pairs]) for which in ("alone", "beside"))
    return float(beside / alone - 1)
