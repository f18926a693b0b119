"""The parts of the benchmark of latency: each measures its missing results and returns its figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.timing.baselines import BASELINES
from benchmarks.timing.contention import contention_shifts, measure_contention
from benchmarks.timing.decisions import (
    CONDITIONS,
    OURS_SEARCH,
    coefficient_of_variation,
    real_coverage,
    wrong_decisions,
    wrong_decisions_between_rounds,
    wrong_race_decisions,
)
from benchmarks.timing.ladder import neighbours
from benchmarks.timing.latency_bench import LatencyBench
from benchmarks.timing.measurement_cost import measurement_costs
from benchmarks.timing.prediction import prediction_errors
from benchmarks.timing.rounds import measure_races, measure_rounds
from benchmarks.timing.simulated_clock import simulate_coverage, simulate_wrong_orders

LATENCY_METHODS = (OURS_SEARCH, *BASELINES)
SIMULATED_PAIRS = 200


def _spread(bench: LatencyBench) -> dict[str, Any]:
    rounds = measure_rounds(bench)
    names = [network.name(place) for place, network in enumerate(bench.ladders[0][: bench.size.spread_networks])]
    all_names = sorted({name for each in rounds for name in each["figures"]})

    def variation(method: str, networks: list[str]) -> dict[str, float | None]:
        return {each: coefficient_of_variation(rounds, method, each, networks) for each in CONDITIONS}

    others = {c: float(np.mean([r["strangers"] for r in rounds if r["condition"] == c])) for c in CONDITIONS}
    ours = [figures[OURS_SEARCH] for each in rounds for figures in each["figures"].values()]
    return {
        "variation": {method: variation(method, names) for method in LATENCY_METHODS}
        | {f"{OURS_SEARCH}, all networks": variation(OURS_SEARCH, all_names)},
        "networks": names,
        "all_networks": all_names,
        "other_processes": others,
        "cpu_s": float(np.median([each["cpu_s"] for each in ours])),
        "loadings": float(np.mean([each["loadings"] for each in ours])),
        "runs": float(np.median([each["runs"] for each in ours])),
    }


def _order(bench: LatencyBench) -> dict[str, Any]:
    rounds, races = measure_rounds(bench), measure_races(bench)
    pairs = neighbours(bench.ladders)
    wrong, ties, decisions = wrong_race_decisions(races)
    return {
        "pairs": [
            {"faster": lower.name(place), "slower": upper.name(place + 1), "ratio": upper.ratio}
            for ladder in bench.ladders
            for place, (lower, upper) in enumerate(pairwise(ladder))
        ],
        "same_condition": {method: wrong_decisions(rounds, method, pairs) for method in LATENCY_METHODS},
        "any_condition": {method: wrong_decisions_between_rounds(rounds, method, pairs) for method in LATENCY_METHODS},
        "races": {
            "wrong": wrong,
            "ties": ties,
            "decisions": decisions,
            "cpu_s": float(np.median([race["cpu_s"] / len(race["order"]) for race in races])),
        },
    }


def _coverage(bench: LatencyBench) -> dict[str, Any]:
    return {
        "simulated": [asdict(each) for each in simulate_coverage(bench.size.simulated)],
        "simulated_wrong_orders": simulate_wrong_orders(SIMULATED_PAIRS),
        "real": real_coverage(measure_rounds(bench)),
    }


def _contention(bench: LatencyBench) -> dict[str, Any]:
    return contention_shifts(measure_contention(bench))


PARTS: Mapping[str, Callable[[LatencyBench], Any]] = {
    "order": _order,
    "spread": _spread,
    "coverage": _coverage,
    "cost": measurement_costs,
    "foreign": _contention,
    "prediction": prediction_errors,
}
"""By the name that `--part` has."""
