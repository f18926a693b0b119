"""Ladders of networks: each network is 5 % slower than the one before it.

A ladder begins with a cut to half of all widths. Each further network widens some groups of the one before by steps of
8 channels, until it is 5 % slower. The ratio of two neighbours is measured by another method than those that the
benchmark compares: both are loaded eight times in one process and run in turn, ten runs in a row of each, by CPU time
on a CPU. A network is accepted if the ratio is within 1.05 +- 0.01 in two measurements.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.timing.networks import CHANNEL_STEP, export_once, random_parent, scaled_width
from objectives.device.target import Target
from objectives.runtimes.catalogue import runtime_named
from spaces.networks.cost_formula import CostFormula
from spaces.networks.parent import Parent
from spaces.structure.groups import tied

LATENCY_STEP = 1.05
TOLERANCE = 0.01
MAX_TRIES = 40
RATIO_LOADINGS, RATIO_TURNS, RATIO_RUNS = 8, 4, 10


@dataclass(frozen=True)
class LadderNetwork:
    """A network of a ladder.

    Attributes:
        family: Structure file of its parent.
        widths: Kept channels by group.
        ratio: Its time divided by that of the network before it; None for the first.
    """

    family: str
    widths: dict[str, int]
    ratio: float | None

    def name(self, place: int) -> str:
        """Return its name in tables and file names: `yolov8n-2`."""
        return f"{Path(self.family).stem}-{place}"


Ladder = Sequence[LadderNetwork]


def make_ladder(family: str, count: int, target: Target, folder: Path, *, seed: int) -> list[LadderNetwork]:
    """Find the networks of a ladder.

    Args:
        count: Number of networks.
        folder: Folder of the exported files, which stay there as `<name>.onnx`.

    Raises:
        RuntimeError: If 40 tries give no network at the right distance: the machine's speed changes too much.
    """
    parent = random_parent(family, target.imgsz)
    random = np.random.default_rng(seed)
    first = {group.name: scaled_width(group.width, 0.5, CHANNEL_STEP) for group in parent.groups}
    found = [LadderNetwork(family, first, None)]
    _export(parent, found[0], 0, folder)
    while len(found) < count:
        found.append(_next_network(parent, found[-1], len(found), target, folder, random))
    return found


def _next_network(
    parent: Parent, before: LadderNetwork, place: int, target: Target, folder: Path, random: np.random.Generator
) -> LadderNetwork:
    lower = folder / f"{before.name(place - 1)}.onnx"
    increase = LATENCY_STEP - 1  # of FLOPs; corrected after each measured ratio
    for _ in range(MAX_TRIES):
        widths = _widen(parent, before.widths, 1 + increase, random)
        file = _export(parent, LadderNetwork(before.family, widths, None), place, folder)
        ratio = long_run_ratio(lower, file, target)
        if abs(ratio - LATENCY_STEP) <= TOLERANCE:
            second = long_run_ratio(lower, file, target)
            if abs(second - LATENCY_STEP) <= TOLERANCE:
                return LadderNetwork(before.family, widths, second)
        correction = np.clip((LATENCY_STEP - 1) / max(ratio - 1, 1e-3), 0.6, 1.6)
        increase = float(np.clip(increase * correction, 0.01, 0.2))
    raise RuntimeError(f"no network 5 % slower than {before.name(place - 1)} in {MAX_TRIES} tries")


def _export(parent: Parent, network: LadderNetwork, place: int, folder: Path) -> Path:
    file = folder / f"{network.name(place)}.onnx"
    file.unlink(missing_ok=True)
    return export_once(parent.build(parent.spec(network.widths)), file)


def _widen(parent: Parent, widths: Mapping[str, int], factor: float, random: np.random.Generator) -> dict[str, int]:
    """Widen random groups by 8 channels until the FLOPs have risen by this factor."""
    formula = CostFormula.of(parent)
    flops = _flops(formula, parent, widths)
    ties = list(tied(parent.groups).values())
    wider = dict(widths)
    for _ in range(10 * len(ties)):
        trial = dict(wider)
        for index in ties[random.integers(len(ties))]:
            group = parent.groups[index]
            trial[group.name] = min(group.width, trial[group.name] + CHANNEL_STEP)
        if _flops(formula, parent, trial) / flops <= factor + 0.01:
            wider = trial
        if _flops(formula, parent, wider) / flops >= factor:
            break
    return wider


def _flops(formula: CostFormula, parent: Parent, widths: Mapping[str, int]) -> float:
    return float(formula.costs((parent.spec(widths),)).flops[0])


def long_run_ratio(lower: Path, upper: Path, target: Target) -> float:
    """Return the time of the upper file divided by that of the lower one: the median over loadings."""
    runtime = runtime_named(target.runtime)
    clock = time.thread_time if target.clock == "cpu" else time.perf_counter
    ratios = []
    for _ in range(RATIO_LOADINGS):
        one, other = runtime.load(lower, target), runtime.load(upper, target)
        turns = [(_mean_run_s(one, clock), _mean_run_s(other, clock)) for _ in range(RATIO_TURNS + 1)][1:]
        ratios.append(np.median([second / first for first, second in turns]))
    return float(np.median(ratios))


def _mean_run_s(run: Callable[[], Any], clock: Callable[[], float]) -> float:
    """Return the mean time of runs in a row, without the first two: caches fill after a change of network."""
    run()
    run()
    begun = clock()
    for _ in range(RATIO_RUNS):
        run()
    return (clock() - begun) / RATIO_RUNS


def neighbours(ladders: Sequence[Ladder]) -> list[tuple[str, str]]:
    """Return the names of all pairs of neighbours, the faster one first."""
    return [
        (lower.name(place), upper.name(place + 1))
        for ladder in ladders
        for place, (lower, upper) in enumerate(pairwise(ladder))
    ]


def ladder_as_plain(ladder: Ladder) -> list[dict[str, Any]]:
    """Return a ladder as plain values, as results store it."""
    return [{"family": each.family, "widths": each.widths, "above": each.ratio} for each in ladder]


def ladder_from_plain(plain: Sequence[Mapping[str, Any]]) -> list[LadderNetwork]:
    """Return the ladder of stored plain values."""
    return [LadderNetwork(each["family"], dict(each["widths"]), each["above"]) for each in plain]
