"""The networks of the benchmark of latency: ladders of neighbours that are 5 % apart, and irregular cuts.

A ladder begins with an irregular cut. Each rung widens some groups of the one before by steps of 8 channels, as many as
it takes until the two are 5 % apart. How far apart they are is measured apart from everything that is compared here:
both are loaded eight times anew in one process and run in turn, ten runs in a row of each; by CPU time on a CPU. A rung
counts if it is within 1.05 +- 0.01 and again so when it is measured a second time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from objectives.device.target import Target
from objectives.export.onnx_file import export_onnx
from objectives.runtimes.catalogue import runtime_named
from spaces.base import ArchSpec, Candidate
from spaces.networks.cost_formula import CostFormula
from spaces.networks.parent import Parent
from spaces.structure.groups import tied

CLASSES = 80
STEP = 1.05
TOLERANCE = 0.01
MULTIPLE = 8
TRIES = 40
LOADINGS, TURNS, RUNS = 8, 4, 10


@dataclass(frozen=True)
class Rung:
    """A network of a ladder.

    Attributes:
        widths: Kept channels by group.
        above: Its time divided by that of the rung below; None for the first.
    """

    family: str
    widths: dict[str, int]
    above: float | None

    def name(self, number: int) -> str:
        """For people and for file names: `yolov8n-2`."""
        return f"{Path(self.family).stem}-{number}"


def parent_of(family: str, imgsz: int) -> Parent:
    """A stock detector with random weights: time does not depend on them."""
    return Parent.load(family, classes=CLASSES, imgsz=imgsz, seed=0)


def irregular(parent: Parent, count: int, *, seed: int, low: float = 0.25) -> list[ArchSpec]:
    """Cuts in which every group keeps a share of its own; every second is aligned to 8, the others to nothing.

    A fourth of them also leave out some residual bottlenecks.
    """
    random = np.random.default_rng(seed)
    return [_irregular(parent, random, MULTIPLE if index % 2 else 1, low) for index in range(count)]


def _irregular(parent: Parent, random: np.random.Generator, multiple: int, low: float) -> ArchSpec:
    centre = random.uniform(low, 1.0)  # of the whole network; the groups lie around it
    ties = list(tied(parent.groups).values())
    widths = {}
    for indices in ties:
        share = float(np.clip(random.uniform(centre - 0.35, centre + 0.35), low, 1.0))
        for index in indices:
            widths[parent.groups[index].name] = _rounded(parent.groups[index].width, share, multiple)
    leaves_out = random.random() < 0.25
    dropped = [repeat.name for repeat in parent.repeats if leaves_out and random.random() < 0.5]
    return parent.spec(widths, dropped=dropped)


def _rounded(width: int, share: float, multiple: int) -> int:
    return int(min(width, max(multiple, round(width * share / multiple) * multiple)))


def exported(candidate: Candidate, file: Path) -> Path:
    """Its ONNX file, made once."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        export_onnx(candidate, file.with_name("new-" + file.name)).rename(file)
    return file


def ladder(family: str, rungs: int, target: Target, folder: Path, *, seed: int) -> list[Rung]:
    """Networks of a family, each 5 % slower than the one before.

    Args:
        folder: For exported files; those of the rungs stay, as `<name>.onnx`.

    Raises:
        RuntimeError: If no network at the right distance is found in 40 tries: the machine is too restless.
    """
    parent = parent_of(family, target.imgsz)
    random = np.random.default_rng(seed)
    first = {group.name: _rounded(group.width, 0.5, MULTIPLE) for group in parent.groups}
    found = [Rung(family, first, None)]
    _export(parent, found[0], 0, folder)
    while len(found) < rungs:
        found.append(_next(parent, found[-1], len(found), target, folder, random))
    return found


def _next(parent: Parent, below: Rung, number: int, target: Target, folder: Path, random: np.random.Generator) -> Rung:
    lower = folder / f"{below.name(number - 1)}.onnx"
    aim = STEP - 1  # in FLOPs, corrected by what was measured
    for _ in range(TRIES):
        widths = _widened(parent, below.widths, 1 + aim, random)
        rung = Rung(parent.model["yaml_file"], widths, None)
        file = _export(parent, rung, number, folder)
        seen = long_run_ratio(lower, file, target)
        if abs(seen - STEP) <= TOLERANCE:
            again = long_run_ratio(lower, file, target)
            if abs(again - STEP) <= TOLERANCE:
                return Rung(rung.family, widths, again)
        aim = float(np.clip(aim * np.clip((STEP - 1) / max(seen - 1, 1e-3), 0.6, 1.6), 0.01, 0.2))
    raise RuntimeError(f"no network 5 % above rung {number - 1} of {parent.model['yaml_file']} in {TRIES} tries")


def _export(parent: Parent, rung: Rung, number: int, folder: Path) -> Path:
    file = folder / f"{rung.name(number)}.onnx"
    file.unlink(missing_ok=True)
    return exported(parent.build(parent.spec(rung.widths)), file)


def _widened(parent: Parent, widths: Mapping[str, int], factor: float, random: np.random.Generator) -> dict[str, int]:
    """Groups, drawn at random, widened by 8 until the FLOPs have risen by that factor."""
    formula = CostFormula.of(parent)
    flops = _flops(formula, parent, widths)
    ties = list(tied(parent.groups).values())
    wider = dict(widths)
    for _ in range(10 * len(ties)):
        trial = dict(wider)
        for index in ties[random.integers(len(ties))]:
            group = parent.groups[index]
            trial[group.name] = min(group.width, trial[group.name] + MULTIPLE)
        risen = _flops(formula, parent, trial) / flops
        if risen <= factor + 0.01:
            wider = trial
        if _flops(formula, parent, wider) / flops >= factor:
            break
    return wider


def _flops(formula: CostFormula, parent: Parent, widths: Mapping[str, int]) -> float:
    return float(formula.costs((parent.spec(widths),)).flops[0])


def long_run_ratio(lower: Path, upper: Path, target: Target) -> float:
    """Time of one file divided by that of another: the median over loadings of the ratio of their means."""
    runtime = runtime_named(target.runtime)
    clock = time.thread_time if target.clock == "cpu" else time.perf_counter
    ratios = []
    for _ in range(LOADINGS):
        one, other = runtime.load(lower, target), runtime.load(upper, target)
        turns = [(_row_s(one, clock), _row_s(other, clock)) for _ in range(TURNS + 1)][1:]
        ratios.append(np.median([second / first for first, second in turns]))
    return float(np.median(ratios))


def _row_s(run: Callable[[], Any], clock: Callable[[], float]) -> float:
    """Mean of runs in a row, without the first two: caches fill anew after a change of network."""
    run()
    run()
    begun = clock()
    for _ in range(RUNS):
        run()
    return (clock() - begun) / RUNS


def described(rungs: Sequence[Rung]) -> list[dict[str, Any]]:
    """Plain values."""
    return [{"family": rung.family, "widths": rung.widths, "above": rung.above} for rung in rungs]


def rungs_from(plain: Sequence[Mapping[str, Any]]) -> list[Rung]:
    """The opposite of `described`."""
    return [Rung(each["family"], dict(each["widths"]), each["above"]) for each in plain]
