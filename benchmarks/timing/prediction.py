"""Latency prediction: fitted to few measured irregular cuts, tested on many others, compared with FLOPs alone."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from benchmarks.timing.latency_bench import FAMILIES, LatencyBench, timing_figures
from benchmarks.timing.networks import irregular_cuts, random_parent
from objectives.device.target import Target
from objectives.runtimes.catalogue import runtime_named
from objectives.timing.latency_model import LatencyModel, Observation
from objectives.timing.meter import LatencyMeter
from spaces.base import ArchSpec
from spaces.networks.cost_formula import CostFormula
from spaces.networks.parent import Parent
from spaces.structure.shape import Shape

FIT_POOL = 400
"""Number of cuts that the networks to fit are chosen from."""
PREDICTED_RUNTIMES = ("onnxruntime", "openvino")
Array = NDArray[np.float64]
Predict = Callable[[Sequence[ArchSpec]], Array]


def prediction_errors(bench: LatencyBench) -> dict[str, dict[str, dict[str, float]]]:
    """Return by runtime and model the errors on networks that no model was fitted to."""
    imgsz = bench.target.imgsz
    parent = random_parent(FAMILIES[0], imgsz)
    fitted = most_informative(parent, irregular_cuts(parent, FIT_POOL, seed=1), bench.size.fitted, imgsz)
    tested = irregular_cuts(parent, bench.size.tested, seed=2)
    targets = _targets(bench.target)
    found = {}
    with ExitStack() as opened:
        meters = {name: opened.enter_context(bench.meter(FAMILIES[0], target)) for name, target in targets.items()}
        measured = [_measure(bench, parent, spec, meters) for spec in (*fitted, *tested)]
    for runtime in targets:
        ratios = np.array([each[runtime]["ratio"] for each in measured])
        known, wanted = ratios[: len(fitted)], ratios[len(fitted) :]
        models = {
            "ours": fit_latency_model(parent, fitted, known, imgsz),
            "proportional to FLOPs": fit_proportional(parent, fitted, known),
            "FLOPs + constant": fit_affine(parent, fitted, known),
        }
        found[runtime] = {name: error_figures(predict(tested), wanted) for name, predict in models.items()}
    return found


def _targets(target: Target) -> dict[str, Target]:
    """Return the target of each runtime that this machine has."""
    if target.provider != "cpu":
        return {target.runtime: target}
    return {
        name: replace(
            target, runtime=name, device=runtime_named(name).device("cpu"), engine=runtime_named(name).version()
        )
        for name in PREDICTED_RUNTIMES
        if runtime_named(name).unavailable("cpu") is None
    }


def _measure(bench: LatencyBench, parent: Parent, spec: ArchSpec, meters: dict[str, LatencyMeter]) -> dict[str, Any]:
    """Return the figures by runtime; the network is exported once, because all of them read ONNX."""

    def measure() -> dict[str, Any]:
        candidate = parent.build(spec)
        with tempfile.TemporaryDirectory(dir=bench.out) as folder:
            first = next(iter(meters.values()))
            file = runtime_named(first.target.runtime).export(candidate, Path(folder), first.target)
            return {name: timing_figures(meter.time_file(file), meter.target.clock) for name, meter in meters.items()}

    return bench.get_or_measure(f"irregular {spec.shape_key}", measure)


def most_informative(parent: Parent, pool: Sequence[ArchSpec], count: int, imgsz: int) -> list[ArchSpec]:
    """Return the specs of a pool that our model wants measured first; nothing is measured for this choice."""
    by_shape = {Shape.of_spec(spec, imgsz): spec for spec in pool}
    wanted = LatencyModel(parent.structure, imgsz).informative(tuple(by_shape), (), count)
    return [by_shape[shape] for shape in wanted]


def fit_latency_model(parent: Parent, specs: Sequence[ArchSpec], ratios: Array, imgsz: int) -> Predict:
    """Fit our model to measured ratios."""
    shapes = [Shape.of_spec(spec, imgsz) for spec in specs]
    observations = [Observation(shape, float(ratio)) for shape, ratio in zip(shapes, ratios, strict=True)]
    fitted = LatencyModel(parent.structure, imgsz).fit(observations)
    return lambda wanted: fitted.predict([Shape.of_spec(spec, imgsz) for spec in wanted]).mean


def gflops(parent: Parent, specs: Sequence[ArchSpec]) -> Array:
    """Return the GFLOPs of specs."""
    return CostFormula.of(parent).costs(specs).flops.astype(np.float64) / 1e9


def fit_proportional(parent: Parent, specs: Sequence[ArchSpec], ratios: Array) -> Predict:
    """Fit time = a x FLOPs, where a is the median over the measured networks."""
    rate = float(np.median(ratios / gflops(parent, specs)))
    return lambda wanted: rate * gflops(parent, wanted)


def fit_affine(parent: Parent, specs: Sequence[ArchSpec], ratios: Array) -> Predict:
    """Fit time = a x FLOPs + b by least squares of the relative error."""
    known = gflops(parent, specs)
    columns = np.stack([known, np.ones_like(known)], axis=1) / ratios[:, None]
    solved = np.linalg.lstsq(columns, np.ones_like(ratios), rcond=None)[0]
    return lambda wanted: np.stack([gflops(parent, wanted), np.ones(len(wanted))], axis=1) @ solved


def error_figures(predicted: Array, measured: Array) -> dict[str, float]:
    """Return mean and maximum relative error, and Kendall's tau."""
    relative = np.abs(predicted / measured - 1)
    return {
        "mean": float(relative.mean()),
        "max": float(relative.max()),
        "tau": float(kendalltau(predicted, measured).statistic),
        "networks": len(measured),
    }
