"""Spread and order: the same networks measured again and again, in every condition, in every way, in turn.

One round takes one condition. In it each network is measured by every way, one right after the other; the next round
takes the next condition. So all ways see the same machine, and its slow drift falls on all conditions alike.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.timing.load import Trainings
from benchmarks.timing.machine import Strangers
from benchmarks.timing.networks import Rung
from benchmarks.timing.peers import PEERS, QUICK_ONES, ULTRALYTICS, Subject
from benchmarks.timing.setup import FAMILIES, Setup, told
from objectives.timing.meter import LatencyMeter
from search.finish.race import CPU_S_A_MEMBER

OURS = "ours (search)"
RACE = "ours (confirm)"
CONDITIONS = ("idle", "one core busy", "all cores busy")
DECISIONS = 200

Round = Mapping[str, Any]


def busy_cores(condition: str, cores: int) -> int:
    """How many trainings make the condition."""
    return {"idle": 0, "one core busy": 1, "all cores busy": cores}[condition]


def measured_rounds(setup: Setup, cores: int) -> list[Round]:
    """All rounds, those that are missing measured now: condition, what strangers did, and a figure by way and network.

    Args:
        cores: As many trainings keep all cores busy.
    """
    ladders = setup.ladders
    device = "cpu" if setup.target.provider == "cpu" else "cuda"
    with Trainings(cores, device) as trainings:

        def one_round(number: int, condition: str, meters: Mapping[str, LatencyMeter]) -> dict[str, Any]:
            strangers, begun = Strangers(), time.perf_counter()
            with trainings.working(busy_cores(condition, cores)):
                figures = _round(setup, ladders, meters, everything=number < setup.size.rounds)
                seen = strangers.cores()
            seconds = time.perf_counter() - begun
            print(f"round {number + 1}, {condition}: {seconds:.0f} s, strangers {seen:.2f} cores", flush=True)
            return {"condition": condition, "strangers": seen, "seconds": seconds, "figures": figures}

        found: list[Mapping[str, Any]] = []
        for number in range(setup.size.repeats):
            with setup.meters() as meters:  # new timing processes, as another worker would have them
                for condition in CONDITIONS:
                    work = partial(one_round, number, condition, meters)
                    found.append(setup.kept(f"round {number} {condition}", work))
        return found


def _round(
    setup: Setup, ladders: Sequence[Sequence[Rung]], meters: Mapping[str, LatencyMeter], *, everything: bool
) -> dict[str, dict[str, Any]]:
    """By network, by way: ms, and for ours what `told` says."""
    found: dict[str, dict[str, Any]] = {}
    for family, place, rung in _each(ladders):
        first = family == FAMILIES[0] and place < setup.size.spread_networks
        if not (first or everything):
            continue
        file = setup.file(rung, place)
        figures: dict[str, Any] = {OURS: told(meters[family].time_file(file), setup.target.clock)}
        for name in _peers(setup.target.provider) if first else QUICK_ONES if family == FAMILIES[0] else ():
            figures[name] = PEERS[name](_subject(setup, rung, place))
        found[rung.name(place)] = figures
    return found


def _peers(provider: str) -> list[str]:
    """Ultralytics' benchmark of an ONNX file runs on the CPU alone."""
    return [name for name in PEERS if provider == "cpu" or name != ULTRALYTICS]


def _each(ladders: Sequence[Sequence[Rung]]) -> Iterator[tuple[str, int, Rung]]:
    return ((rung.family, place, rung) for rungs in ladders for place, rung in enumerate(rungs))


def _subject(setup: Setup, rung: Rung, place: int) -> Subject:
    size, target = setup.size, setup.target
    return Subject(
        setup.file(rung, place),
        lambda: setup.candidate(rung).network,
        target.imgsz,
        target.provider,
        ultralytics_s=size.ultralytics_s,
        ultralytics_runs=size.ultralytics_runs,
        pruning_runs=size.pruning_runs,
    )


def measured_races(setup: Setup, cores: int) -> list[dict[str, Any]]:
    """Races of each ladder in each condition: the order that each settles, and its ties."""
    ladders = setup.ladders
    device = "cpu" if setup.target.provider == "cpu" else "cuda"
    with Trainings(cores, device) as trainings, setup.meters() as meters:

        def one_race(number: int, condition: str, rungs: Sequence[Rung]) -> dict[str, Any]:
            files = [setup.file(rung, place) for place, rung in enumerate(rungs)]
            with trainings.working(busy_cores(condition, cores)):
                race = meters[rungs[0].family].race(files, cpu_budget_s=CPU_S_A_MEMBER * len(files), seed=number)
            settled = race.settle(setup.target.clock)
            return {
                "condition": condition,
                "order": settled.order,
                "ties": settled.ties,
                "ratios": [interval.median for interval in settled.ratios],
                "rounds": race.rounds,
                "cpu_s": race.cpu_seconds,
            }

        return [
            setup.kept(f"race {number} {condition} {rungs[0].family}", partial(one_race, number, condition, rungs))
            for number in range(setup.size.races)
            for condition in CONDITIONS
            for rungs in ladders
        ]


def figure_of(way: str, figures: Mapping[str, Any]) -> float | None:
    """What a way reported, as one number; None where it did not measure that network."""
    if way not in figures:
        return None
    return float(figures[way]["ratio"]) if way == OURS else float(figures[way])


def variation(rounds: Sequence[Round], way: str, condition: str, networks: Sequence[str]) -> float | None:
    """Coefficient of variation of a way's figure in a condition: root mean square over the networks."""
    squares = []
    for network in networks:
        values = _values(rounds, way, condition, network)
        if len(values) >= 2:
            squares.append((np.std(values, ddof=1) / np.mean(values)) ** 2)
    return float(np.sqrt(np.mean(squares))) if squares else None


def _values(rounds: Sequence[Round], way: str, condition: str, network: str) -> list[float]:
    figures = [each["figures"].get(network, {}) for each in rounds if each["condition"] == condition]
    return [value for each in figures if (value := figure_of(way, each)) is not None]


def neighbours(ladders: Sequence[Sequence[Rung]]) -> list[tuple[str, str]]:
    """Names of the pairs, the faster first."""
    return [
        (lower.name(place), upper.name(place + 1))
        for rungs in ladders
        for place, (lower, upper) in enumerate(pairwise(rungs))
    ]


def wrong_decisions(rounds: Sequence[Round], way: str, pairs: Sequence[tuple[str, str]]) -> tuple[int, int]:
    """How many pairs a way put in the wrong order, of how many: both measured in the same round."""
    decisions = [
        lower >= upper
        for each in rounds
        for one, other in pairs
        if (lower := figure_of(way, each["figures"].get(one, {}))) is not None
        and (upper := figure_of(way, each["figures"].get(other, {}))) is not None
    ]
    return sum(decisions), len(decisions)


def wrong_across(rounds: Sequence[Round], way: str, pairs: Sequence[tuple[str, str]], seed: int = 0) -> tuple[int, int]:
    """As `wrong_decisions`, where the two were measured in different rounds, drawn at random: 200 decisions.

    So it is in a study: one candidate is measured now, another in an hour, and the load has changed.
    """
    random = np.random.default_rng(seed)
    seen = [
        (lower, upper)
        for one, other in pairs
        if (lower := _everywhere(rounds, way, one)) and (upper := _everywhere(rounds, way, other))
    ]
    if not seen:
        return 0, 0
    wrong = 0
    for number in range(DECISIONS):
        lower, upper = seen[number % len(seen)]
        wrong += random.choice(lower) >= random.choice(upper)
    return int(wrong), DECISIONS


def _everywhere(rounds: Sequence[Round], way: str, network: str) -> list[float]:
    return [value for condition in CONDITIONS for value in _values(rounds, way, condition, network)]


def wrong_in_races(races: Sequence[Mapping[str, Any]]) -> tuple[int, int, int]:
    """Neighbours that races put in the wrong order, those that they showed as ties, and how many there were.

    A race numbers the networks from the fastest, so a pair is wrong if the greater number comes first in its order
    and the two are no tie.
    """
    wrong = ties = decisions = 0
    for race in races:
        place = {number: position for position, number in enumerate(race["order"])}
        for lower in range(len(place) - 1):
            decisions += 1
            if lower + 1 in race["ties"][lower]:
                ties += 1
            elif place[lower] > place[lower + 1]:
                wrong += 1
    return wrong, ties, decisions


def held_long_run(rounds: Sequence[Round]) -> dict[str, tuple[int, int]]:
    """By condition, in how many measurements of how many our stated interval holds the long-run value.

    That is the median of all other measurements of the same network, in whatever condition.
    """
    seen: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    for each in rounds:
        for network, figures in each["figures"].items():
            seen.setdefault(network, []).append((each["condition"], figures[OURS]))
    held = {condition: [0, 0] for condition in CONDITIONS}
    for found in seen.values():
        ratios = np.array([figures["ratio"] for _, figures in found])
        for index, (condition, figures) in enumerate(found):
            if len(found) > 1:
                held[condition][1] += 1
                held[condition][0] += int(figures["low"] <= np.median(np.delete(ratios, index)) <= figures["high"])
    return {condition: (counts[0], counts[1]) for condition, counts in held.items()}
