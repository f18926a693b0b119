"""Measurements of a variant: its cost, its learning curve, and its latency on two runtimes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.variant_table.builder import (
    TRAINING_PX,
    VARIANT_EPOCHS,
    VARIANT_MULTIPLE,
    VariantBuilder,
    variant_recipe,
)
from objectives.base import EpochResult, Measurement
from objectives.runtimes.catalogue import target_here
from objectives.timing.meter import LatencyMeter
from objectives.training.accuracy import score
from objectives.training.sensitivity import sensitivity
from objectives.training.training import train
from spaces.allocation.summed_sensitivity import HALF, SummedSensitivity
from spaces.base import Candidate, ParamValue

LATENCY_PX = 224
TABLE_RUNTIMES = ("onnxruntime", "openvino")
VARIANT_SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class VariantMeters:
    """A meter for each runtime; ratios are to the uncut parent, at the image size of latency."""

    meters: Mapping[str, LatencyMeter]

    @staticmethod
    @contextmanager
    def open(builder: VariantBuilder, scratch: Path) -> Iterator[VariantMeters]:
        """Start the timing processes."""
        with ExitStack() as opened:
            meters = {}
            for runtime in TABLE_RUNTIMES:
                target = target_here(runtime, imgsz=LATENCY_PX)
                reference = replace(builder.parent.candidate(), imgsz=LATENCY_PX)
                meters[runtime] = opened.enter_context(LatencyMeter(target, reference, scratch=scratch))
            yield VariantMeters(meters)

    def measure(self, candidate: Candidate) -> dict[str, Measurement]:
        """Return the latency on each runtime."""
        large = replace(candidate, imgsz=LATENCY_PX)
        return {name: meter.measure(large, 1.0).measurement for name, meter in self.meters.items()}


def measure_variant(builder: VariantBuilder, meters: VariantMeters, params: Mapping[str, ParamValue]) -> dict[str, Any]:
    """Return the row of a variant: parameters, widths, cost, latency ratios and the learning curve of one training."""
    candidate, figures = builder.build(params)
    latency = {name: [each.ratio, each.low, each.high] for name, each in meters.measure(candidate).items()}
    curve = learning_curve(builder, candidate, VARIANT_SEEDS[0])
    return {"params": dict(params), **figures, "latency": latency, "curve": curve}


def measure_repeat(builder: VariantBuilder, params: Mapping[str, ParamValue], seed: int) -> dict[str, Any]:
    """Return the learning curve of a further training of a variant."""
    return {"curve": learning_curve(builder, builder.build(params)[0], seed)}


def measure_sensitivity(builder: VariantBuilder) -> dict[str, Any]:
    """Return the loss increase when each group of the parent is halved, untrained, and the seconds that it took."""
    begun = time.monotonic()
    found = sensitivity(builder.parent, builder.data, imgsz=TRAINING_PX, ratios=(HALF,), multiple=VARIANT_MULTIPLE)
    seconds = time.monotonic() - begun
    summed = SummedSensitivity.of(found, builder.parent.groups, VARIANT_MULTIPLE)
    return {"whole": summed.whole, "ties": summed.ties, "halved": summed.halved, "seconds": seconds}


def learning_curve(builder: VariantBuilder, candidate: Candidate, seed: int) -> list[list[float]]:
    """Train a variant; return mAP50-95, mAP50, loss and seconds of epoch 0 (BatchNorm re-estimated) and each epoch."""
    reestimated = builder.reestimate_batchnorm(candidate)
    first = score(reestimated.network, builder.data, "val", imgsz=TRAINING_PX, loss=True)
    curve = [[first.map50_95, first.map50, first.loss, 0.0]]

    def report(result: EpochResult) -> None:
        curve.append([result.map50_95, result.map50, result.loss, result.seconds])

    recipe = variant_recipe(builder.data, VARIANT_EPOCHS)
    train(reestimated, recipe, builder.data, seed=seed, scratch=builder.out / "scratch", report=report)
    return curve
