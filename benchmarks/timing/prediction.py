"""Prediction: fitted on few measurements of irregular cuts, judged by many others, beside what FLOPs alone say."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.timing.networks import irregular, parent_of
from benchmarks.timing.setup import FAMILIES, Setup, told
from objectives.device.target import Target
from objectives.runtimes.catalogue import runtime_named
from objectives.timing.latency_model import LatencyModel, Observation
from objectives.timing.meter import LatencyMeter
from spaces.base import ArchSpec
from spaces.networks.cost_formula import CostFormula
from spaces.networks.parent import Parent
from spaces.structure.shape import Shape

POOL = 400  # from which the informative ones are chosen
ENGINES = ("onnxruntime", "openvino")
Values = NDArray[np.float64]
Predict = Callable[[Sequence[ArchSpec]], Values]


def predictions(setup: Setup) -> dict[str, dict[str, dict[str, float]]]:
    """For each engine, for our model and each peer: errors on the networks that none of them was fitted on."""
    parent = parent_of(FAMILIES[0], setup.target.imgsz)
    told_apart, tested = _networks(setup, parent)
    targets = _targets(setup.target)
    found = {}
    with ExitStack() as opened:
        meters = {name: opened.enter_context(setup.meter(FAMILIES[0], target)) for name, target in targets.items()}
        measured = [_measured(setup, parent, spec, meters) for spec in (*told_apart, *tested)]
    for engine in targets:
        ratios = np.array([each[engine]["ratio"] for each in measured])
        known, asked = ratios[: len(told_apart)], ratios[len(told_apart) :]
        models = {
            "ours": ours(parent, told_apart, known, setup.target.imgsz),
            "proportional to FLOPs": proportional(parent, told_apart, known),
            "FLOPs + constant": affine(parent, told_apart, known),
        }
        found[engine] = {name: errors(predict(tested), asked) for name, predict in models.items()}
    return found


def _networks(setup: Setup, parent: Parent) -> tuple[list[ArchSpec], list[ArchSpec]]:
    """Those to fit on, chosen from a pool of irregular cuts without measuring any, and others to test."""
    pool = irregular(parent, POOL, seed=1)
    tested = irregular(parent, setup.size.tested, seed=2)
    return chosen(parent, pool, setup.size.informed, setup.target.imgsz), tested


def _targets(target: Target) -> dict[str, Target]:
    """The target of each engine that runs here."""
    if target.provider != "cpu":
        return {target.runtime: target}
    return {
        engine: replace(
            target, runtime=engine, device=runtime_named(engine).device("cpu"), engine=runtime_named(engine).version()
        )
        for engine in ENGINES
        if runtime_named(engine).unavailable("cpu") is None
    }


def _measured(setup: Setup, parent: Parent, spec: ArchSpec, meters: dict[str, LatencyMeter]) -> dict[str, Any]:
    """The ratio by each engine; exported once, as both read ONNX."""

    def measure() -> dict[str, Any]:
        candidate = parent.build(spec)
        with tempfile.TemporaryDirectory(dir=setup.out) as folder:
            first = next(iter(meters.values()))
            file = runtime_named(first.target.runtime).export(candidate, Path(folder), first.target)
            return {name: told(meter.time_file(file), meter.target.clock) for name, meter in meters.items()}

    return setup.kept(f"irregular {spec.shape_key}", partial(measure))


def chosen(parent: Parent, pool: Sequence[ArchSpec], count: int, imgsz: int) -> list[ArchSpec]:
    """Those of the pool that our model asks to be measured first."""
    by_shape = {Shape.of_spec(spec, imgsz): spec for spec in pool}
    asked = LatencyModel(parent.structure, imgsz).informative(tuple(by_shape), (), count)
    return [by_shape[shape] for shape in asked]


def ours(parent: Parent, specs: Sequence[ArchSpec], ratios: Values, imgsz: int) -> Predict:
    """Our model, fitted on these measurements."""
    shapes = [Shape.of_spec(spec, imgsz) for spec in specs]
    observations = [Observation(shape, float(ratio)) for shape, ratio in zip(shapes, ratios, strict=True)]
    fitted = LatencyModel(parent.structure, imgsz).fit(observations)
    return lambda asked: fitted.predict([Shape.of_spec(spec, imgsz) for spec in asked]).mean


def flops(parent: Parent, specs: Sequence[ArchSpec]) -> Values:
    """GFLOPs of some specs."""
    return CostFormula.of(parent).costs(specs).flops.astype(np.float64) / 1e9


def proportional(parent: Parent, specs: Sequence[ArchSpec], ratios: Values) -> Predict:
    """Time = a x FLOPs, a the median of what was seen."""
    rate = float(np.median(ratios / flops(parent, specs)))
    return lambda asked: rate * flops(parent, asked)


def affine(parent: Parent, specs: Sequence[ArchSpec], ratios: Values) -> Predict:
    """Time = a x FLOPs + b, by least squares of the relative error."""
    known = flops(parent, specs)
    columns = np.stack([known, np.ones_like(known)], axis=1) / ratios[:, None]
    solved = np.linalg.lstsq(columns, np.ones_like(ratios), rcond=None)[0]
    return lambda asked: np.stack([flops(parent, asked), np.ones(len(asked))], axis=1) @ solved


def errors(predicted: Values, measured: Values) -> dict[str, float]:
    """Mean and greatest relative error, and Kendall's tau of the order."""
    relative = np.abs(predicted / measured - 1)
    return {
        "mean": float(relative.mean()),
        "max": float(relative.max()),
        "tau": kendall(predicted, measured),
        "networks": len(measured),
    }


def kendall(one: Values, other: Values) -> float:
    """Kendall's tau-b: 1 where both order all pairs alike, -1 where they order them the opposite way."""
    first, second = np.triu_indices(len(one), k=1)
    a, b = np.sign(one[first] - one[second]), np.sign(other[first] - other[second])
    return float((a * b).sum() / np.sqrt((a != 0).sum() * (b != 0).sum()))
