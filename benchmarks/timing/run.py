"""One run of the benchmark of latency: measures the chosen parts and writes their figures."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from benchmarks.setup.results import read_json, write_json
from benchmarks.timing.latency_bench import FULL_SIZE, QUICK_SIZE, BenchSize, LatencyBench
from benchmarks.timing.machine import describe_machine, usable_cores
from benchmarks.timing.parts import PARTS
from objectives.runtimes.catalogue import target_here


def figures_file(out: Path, *, quick: bool, provider: str) -> Path:
    """Return the file of a run's figures."""
    return out / ("quick" if quick else "full") / provider / "figures.json"


def run_latency_benchmark(
    out: Path,
    *,
    parts: Iterable[str] = tuple(PARTS),
    quick: bool = False,
    provider: str = "cpu",
    imgsz: int = 160,
    size: BenchSize | None = None,
) -> dict[str, Any]:
    """Measure the missing results of these parts; write and return all figures.

    Args:
        parts: Names of `PARTS`.
        provider: Provider of onnxruntime.
        size: How much is measured, if neither the full nor the quick size fits.
    """
    torch.set_num_threads(1)
    file = figures_file(out, quick=quick, provider=provider)
    file.parent.mkdir(parents=True, exist_ok=True)
    target = target_here(provider=provider, imgsz=imgsz)
    bench = LatencyBench(size or (QUICK_SIZE if quick else FULL_SIZE), target, usable_cores(), file.parent)
    figures = read_json(file) or {"parts": {}, "minutes": {}, "machine": describe_machine(provider)}
    figures |= {"target": str(target), "size": asdict(bench.size), "quick": quick}
    for part in parts:
        begun = time.perf_counter()
        figures["parts"][part] = PARTS[part](bench)
        spent = (time.perf_counter() - begun) / 60
        figures["minutes"][part] = round(figures["minutes"].get(part, 0.0) + spent, 2)
        write_json(file, figures)
        print(f"{part}: {spent:.1f} min", flush=True)
    return figures
