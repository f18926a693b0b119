"""Time to build a candidate, ours and torch-pruning's, and time to know the cost of specs without building them."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
import torch_pruning
from torch import nn

from benchmarks.building.split_blocks import readable_copy
from benchmarks.setup.markdown import markdown_table
from objectives.device.fingerprint import cpu_fingerprint
from spaces.base import ParamValue
from spaces.networks.cost_formula import CostFormula
from spaces.networks.parent import Parent
from spaces.search_spaces.channels import ChannelRatioSpace

RATIO, WIDTH_MULTIPLE, IMAGE_SIDE = 0.5, 8, 640
PRUNERS = {
    "torch-pruning as in its YOLOv8 example": ("GroupNormPruner", IMAGE_SIDE),
    "torch-pruning at its leanest": ("BasePruner", 64),
}
"""The pruner's class, and the side in px of the image that it traces, by name."""


@dataclass(frozen=True)
class BuildTime:
    """Medians of one way to build a candidate.

    Attributes:
        graph_ms: The part of `total_ms` that finds the coupled channels; ours did that when the parent was loaded.
        times_ours: `total_ms` divided by ours.
        parameters: Parameters of the built network, before fusing.
    """

    name: str
    total_ms: float
    graph_ms: float
    times_ours: float
    parameters: int


@dataclass(frozen=True)
class BuildFigures:
    """Figures of one run.

    Attributes:
        repeats: Number of timed repeats of each build.
        specs: Number of specs that were decoded, keyed and costed.
    """

    buildings: tuple[BuildTime, ...]
    repeats: int
    specs: int
    decode_s: float
    key_s: float
    cost_s: float
    machine: str
    versions: dict[str, str]


def measure_builds(parent: Parent, space: ChannelRatioSpace, *, repeats: int, specs: int, seed: int) -> BuildFigures:
    """Time all builds in turn, then the specs."""
    rewritten = readable_copy(parent.network)
    half: dict[str, ParamValue] = dict.fromkeys(space.parameters, RATIO)
    names = ("yolofront", *PRUNERS)
    graphs: dict[str, list[float]] = {name: [] for name in names}
    totals: dict[str, list[float]] = {name: [] for name in names}
    parameters = {}
    for _ in range(repeats + 1):
        candidate, seconds = _timed(lambda: space.build(*space.decode(half)))
        graphs["yolofront"].append(0.0)
        totals["yolofront"].append(seconds)
        parameters["yolofront"] = _parameters(candidate.network)
        for name, (kind, side) in PRUNERS.items():
            copied = copy.deepcopy(rewritten)
            pruner, graph = _timed(partial(_make_pruner, copied, kind, side))
            graphs[name].append(graph)
            totals[name].append(graph + _timed(pruner.step)[1])
            parameters[name] = _parameters(copied)
    total_ms, graph_ms = (  # the first repeat warms up
        {name: 1e3 * statistics.median(found[1:]) for name, found in times.items()} for times in (totals, graphs)
    )
    builds = tuple(
        BuildTime(name, total_ms[name], graph_ms[name], total_ms[name] / total_ms["yolofront"], parameters[name])
        for name in names
    )
    versions = {name: version(name) for name in ("torch", "torch-pruning", "ultralytics", "numpy")}
    return BuildFigures(builds, repeats, specs, *_time_specs(parent, space, specs, seed), cpu_fingerprint(), versions)


def build_tables(figures: BuildFigures) -> str:
    """Return both tables as Markdown."""
    builds = [
        [row.name, f"{row.total_ms:.0f}", f"{row.graph_ms:.0f}", f"{row.times_ours:.1f}", f"{row.parameters:,}"]
        for row in figures.buildings
    ]
    seconds = {"decode": figures.decode_s, "key": figures.key_s, "cost": figures.cost_s}
    seconds["all three"] = sum(seconds.values())
    specs = [[name, f"{spent:.2f}", f"{1e6 * spent / figures.specs:.0f}"] for name, spent in seconds.items()]
    versions = ", ".join(f"{name} {number}" for name, number in figures.versions.items())
    candidate = "a candidate of YOLOv8n, half of each layer's channels"
    return "\n\n".join(
        (
            markdown_table((candidate, "median, ms", "graph, ms", "times ours", "parameters"), builds),
            markdown_table((f"{figures.specs:,} specs of YOLOv8n", "s", "µs each"), specs),
            f"{figures.machine}; {versions}; medians of {figures.repeats}",
        )
    )


def _time_specs(parent: Parent, space: ChannelRatioSpace, count: int, seed: int) -> tuple[float, float, float]:
    """Return the seconds to decode, key and cost random points of the space; no network is built."""
    names, random = list(space.parameters), np.random.default_rng(seed)
    points = [dict(zip(names, row, strict=True)) for row in random.uniform(0.25, 1, (count, len(names))).tolist()]
    formula = CostFormula.of(parent)
    specs, decode_s = _timed(lambda: [space.decode(point)[0] for point in points])
    keys, key_s = _timed(lambda: {spec.key for spec in specs})
    costs, cost_s = _timed(lambda: formula.costs(specs))
    if len(keys) < count or costs.flops.shape != (count,):
        raise ValueError(f"{count} points gave {len(keys)} keys and {costs.flops.shape} costs")
    return decode_s, key_s, cost_s


def _make_pruner(model: Any, kind: str, side: int) -> Any:
    """Return a pruner that keeps the last layers. The empty dicts are needed because it writes into its defaults."""
    head = model.network.model[-1]
    last = [tower[-1] for towers in (head.cv2, head.cv3) for tower in towers]
    return getattr(torch_pruning.pruner, kind)(
        model, torch.rand(1, 3, side, side), importance=torch_pruning.importance.GroupMagnitudeImportance(),
        pruning_ratio=RATIO, round_to=WIDTH_MULTIPLE, ignored_layers=[*last, head.dfl],
        in_channel_groups={}, out_channel_groups={}, num_heads={}, channel_groups={},
    )  # fmt: skip


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    begun = time.perf_counter()
    result = work()
    return result, time.perf_counter() - begun


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
