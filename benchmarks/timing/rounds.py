"""Rounds and races: the same networks measured several times, in every condition, by every method, in turn.

One round has one condition. In it each network is measured by every method, directly one after the other; the next
round has the next condition. So all methods measure the same machine, and its slow drift affects all conditions alike.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from benchmarks.timing.background_load import BackgroundTrainings
from benchmarks.timing.baselines import BASELINES, FAST_BASELINES, ULTRALYTICS, MeasuredNetwork
from benchmarks.timing.decisions import CONDITIONS, OURS_SEARCH, Round
from benchmarks.timing.ladder import LadderNetwork
from benchmarks.timing.latency_bench import FAMILIES, LatencyBench, timing_figures
from benchmarks.timing.machine import OtherProcesses
from objectives.timing.meter import LatencyMeter
from search.finish.race import CPU_S_PER_FINALIST


def _busy_cores(condition: str, cores: int) -> int:
    """Return the number of trainings that make a condition."""
    return {"idle": 0, "one core busy": 1, "all cores busy": cores}[condition]


def measure_rounds(bench: LatencyBench) -> list[Round]:
    """Return all rounds; those that are missing are measured now.

    A round has its condition, the cores that other processes kept busy, and a figure by network and method.
    """
    ladders = bench.ladders  # found before anything else runs
    with BackgroundTrainings(bench.cores, bench.torch_device) as trainings:

        def measure(number: int, condition: str, meters: Mapping[str, LatencyMeter]) -> dict[str, Any]:
            others, begun = OtherProcesses(), time.perf_counter()
            with trainings.running(_busy_cores(condition, bench.cores)):
                figures = _measure_networks(bench, ladders, meters, everything=number < bench.size.rounds)
                busy = others.busy_cores()
            seconds = time.perf_counter() - begun
            print(f"round {number + 1}, {condition}: {seconds:.0f} s, other processes {busy:.2f} cores", flush=True)
            return {"condition": condition, "strangers": busy, "seconds": seconds, "figures": figures}

        found: list[Round] = []
        for number in range(bench.size.repeats):
            with bench.meters() as meters:  # new timing processes, as another worker would have them
                for condition in CONDITIONS:
                    work = partial(measure, number, condition, meters)
                    found.append(bench.get_or_measure(f"round {number} {condition}", work))
        return found


def _measure_networks(
    bench: LatencyBench,
    ladders: Sequence[Sequence[LadderNetwork]],
    meters: Mapping[str, LatencyMeter],
    *,
    everything: bool,
) -> dict[str, dict[str, Any]]:
    """Return by network and method the figure in ms, or the `timing_figures` of ours."""
    found: dict[str, dict[str, Any]] = {}
    for family, place, network in _all_networks(ladders):
        by_all_methods = family == FAMILIES[0] and place < bench.size.spread_networks
        if not (by_all_methods or everything):
            continue
        file = bench.file(network, place)
        figures: dict[str, Any] = {OURS_SEARCH: timing_figures(meters[family].time_file(file), bench.target.clock)}
        fast = FAST_BASELINES if family == FAMILIES[0] else ()
        for name in _usable_baselines(bench.target.provider) if by_all_methods else fast:
            figures[name] = BASELINES[name](_for_baselines(bench, network, place))
        found[network.name(place)] = figures
    return found


def _usable_baselines(provider: str) -> list[str]:
    """Ultralytics' benchmark of an ONNX file runs on the CPU only."""
    return [name for name in BASELINES if provider == "cpu" or name != ULTRALYTICS]


def _all_networks(ladders: Sequence[Sequence[LadderNetwork]]) -> Iterator[tuple[str, int, LadderNetwork]]:
    return ((network.family, place, network) for ladder in ladders for place, network in enumerate(ladder))


def _for_baselines(bench: LatencyBench, network: LadderNetwork, place: int) -> MeasuredNetwork:
    size, target = bench.size, bench.target
    return MeasuredNetwork(
        bench.file(network, place),
        lambda: bench.candidate(network).network,
        target.imgsz,
        target.provider,
        ultralytics_s=size.ultralytics_s,
        ultralytics_runs=size.ultralytics_runs,
        pruning_runs=size.pruning_runs,
    )


def measure_races(bench: LatencyBench) -> list[dict[str, Any]]:
    """Race each ladder in each condition; a race has the order that it found, and its ties."""
    ladders = bench.ladders  # found before anything else runs
    with BackgroundTrainings(bench.cores, bench.torch_device) as trainings, bench.meters() as meters:

        def race_ladder(number: int, condition: str, ladder: Sequence[LadderNetwork]) -> dict[str, Any]:
            files = [bench.file(network, place) for place, network in enumerate(ladder)]
            with trainings.running(_busy_cores(condition, bench.cores)):
                race = meters[ladder[0].family].race(files, cpu_budget_s=CPU_S_PER_FINALIST * len(files), seed=number)
            settled = race.settle(bench.target.clock)
            return {
                "condition": condition,
                "order": settled.order,
                "ties": settled.ties,
                "ratios": [interval.median for interval in settled.ratios],
                "rounds": race.rounds,
                "cpu_s": race.cpu_seconds,
            }

        return [
            bench.get_or_measure(
                f"race {number} {condition} {ladder[0].family}", partial(race_ladder, number, condition, ladder)
            )
            for number in range(bench.size.races)
            for condition in CONDITIONS
            for ladder in ladders
        ]
