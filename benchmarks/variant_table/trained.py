"""What is measured of a variant: its learning curve, and its latency on two runtimes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.variant_table.made import EPOCHS, PX, Made, recipe_of
from objectives.base import EpochResult
from objectives.runtimes.catalogue import target_here
from objectives.timing.meter import Latency, LatencyMeter
from objectives.training.accuracy import score
from objectives.training.training import train
from spaces.base import Candidate

LATENCY_PX = 224
RUNTIMES = ("onnxruntime", "openvino")


def trained(made: Made, candidate: Candidate, seed: int) -> list[list[float]]:
    """The learning curve: for epoch 0 (BatchNorm re-estimated) and each further one mAP50-95, mAP50, loss, seconds."""
    settled = made.settled(candidate)
    first = score(settled.network, made.data, "val", imgsz=PX, loss=True)
    curve = [[first.map50_95, first.map50, first.loss, 0.0]]

    def report(result: EpochResult) -> None:
        curve.append([result.map50_95, result.map50, result.loss, result.seconds])

    recipe = recipe_of(made.data, EPOCHS)
    train(settled, recipe, made.data, seed=seed, scratch=made.out / "scratch", report=report)
    return curve


class _Large:
    """Times variants at the size that latency is asked at."""

    def __init__(self, meter: LatencyMeter) -> None:
        self._meter = meter

    def measure(self, candidate: Candidate, reference_ms: float) -> Latency:
        """As `LatencyMeter.measure`."""
        return self._meter.measure(replace(candidate, imgsz=LATENCY_PX), reference_ms)


@contextmanager
def latencies(made: Made, scratch: Path) -> Iterator[dict[str, Any]]:
    """A meter for each runtime; ratios are to the uncut parent."""
    with ExitStack() as opened:
        meters = {}
        for runtime in RUNTIMES:
            target = target_here(runtime, imgsz=LATENCY_PX)
            reference = replace(made.parent.candidate(), imgsz=LATENCY_PX)
            meters[runtime] = _Large(opened.enter_context(LatencyMeter(target, reference, scratch=scratch)))
        yield meters
