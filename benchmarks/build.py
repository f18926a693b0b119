"""What a candidate costs before it is trained: its building against torch-pruning's, and 10,000 specs without building.

    python -m benchmarks.build --out runs/build.json

All prune YOLOv8n to half of each layer's channels, in turn, one torch thread. Ours decodes a space's parameters and
builds the network from a parent whose structure is known; torch-pruning builds its dependency graph and takes one step:
once as in its own example for YOLOv8, once in its leanest way, traced on a small image. The copy of the network that it
prunes, and the rewriting of C2f without which it cannot read it, are not counted.
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch_pruning
from torch import Tensor, nn

from benchmarks.setup.markdown import markdown_table
from objectives.device.fingerprint import cpu_fingerprint
from spaces.base import ParamValue
from spaces.networks.cost_formula import CostFormula
from spaces.networks.parent import Parent
from spaces.ranking.importance import order
from spaces.search_spaces.channels import ChannelRatioSpace
from spaces.structure.structure import raw_outputs

# isort: split
from ultralytics.nn.modules.block import C2f
from ultralytics.nn.modules.conv import Conv

MODEL, CLASSES, IMGSZ, RATIO, MULTIPLE = "yolov8n.yaml", 80, 640, 0.5, 8
OPPONENTS = {
    "torch-pruning as in its YOLOv8 example": ("GroupNormPruner", IMGSZ),
    "torch-pruning at its leanest": ("BasePruner", 64),
}
"""By name: the pruner's class, and the side in px of the image that it traces."""


@dataclass(frozen=True)
class Building:
    """Medians of one way to build a candidate.

    Attributes:
        graph_ms: Of that, what finds out which channels are coupled; ours did it when the parent was loaded.
        parameters: Of the network that came out, before fusing.
    """

    name: str
    total_ms: float
    graph_ms: float
    times_ours: float
    parameters: int


@dataclass(frozen=True)
class Figures:
    """What one run found."""

    buildings: tuple[Building, ...]
    repeats: int
    specs: int
    decode_s: float
    key_s: float
    cost_s: float
    machine: str
    versions: dict[str, str]


def main() -> None:
    """Measure, print two tables, write all figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15, help="of each building; medians are told")
    parser.add_argument("--specs", type=int, default=10_000, help="to decode, key and cost")
    parser.add_argument("--seed", type=int, default=0, help="of their parameters")
    parser.add_argument("--out", type=Path, help="JSON file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    parent = Parent.load(MODEL, classes=CLASSES, imgsz=IMGSZ)
    orders = order(parent.candidate(), parent)
    space = ChannelRatioSpace(parent, orders, low=0.25, high=1.0, step=None, multiple=MULTIPLE)
    figures = measure(parent, space, options.repeats, options.specs, options.seed)
    print(tables(figures))
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(asdict(figures), indent=1) + "\n")


def measure(parent: Parent, space: ChannelRatioSpace, repeats: int, specs: int, seed: int) -> Figures:
    """Time the buildings in turn, then the specs."""
    rewritten = readable(parent.network)
    half: dict[str, ParamValue] = dict.fromkeys(space.parameters, RATIO)
    names = ("yolofront", *OPPONENTS)
    graphs: dict[str, list[float]] = {name: [] for name in names}
    totals: dict[str, list[float]] = {name: [] for name in names}
    parameters = {}
    for _ in range(repeats + 1):
        candidate, seconds = _timed(lambda: space.build(*space.decode(half)))
        graphs["yolofront"].append(0.0)
        totals["yolofront"].append(seconds)
        parameters["yolofront"] = _parameters(candidate.network)
        for name, (kind, side) in OPPONENTS.items():
            theirs = copy.deepcopy(rewritten)
            pruner, graph = _timed(partial(_pruner, theirs, kind, side))
            graphs[name].append(graph)
            totals[name].append(graph + _timed(pruner.step)[1])
            parameters[name] = _parameters(theirs)
    total_ms, graph_ms = (  # the first warms up
        {name: 1e3 * statistics.median(found[1:]) for name, found in times.items()} for times in (totals, graphs)
    )
    buildings = tuple(
        Building(name, total_ms[name], graph_ms[name], total_ms[name] / total_ms["yolofront"], parameters[name])
        for name in names
    )
    versions = {name: version(name) for name in ("torch", "torch-pruning", "ultralytics", "numpy")}
    return Figures(buildings, repeats, specs, *_many(parent, space, specs, seed), cpu_fingerprint(), versions)


def tables(figures: Figures) -> str:
    """Both results as Markdown."""
    building = [
        [row.name, f"{row.total_ms:.0f}", f"{row.graph_ms:.0f}", f"{row.times_ours:.1f}", f"{row.parameters:,}"]
        for row in figures.buildings
    ]
    seconds = {"decode": figures.decode_s, "key": figures.key_s, "cost": figures.cost_s}
    seconds["all three"] = sum(seconds.values())
    counting = [[name, f"{spent:.2f}", f"{1e6 * spent / figures.specs:.0f}"] for name, spent in seconds.items()]
    versions = ", ".join(f"{name} {number}" for name, number in figures.versions.items())
    return "\n\n".join(
        (
            markdown_table(
                ("a candidate of YOLOv8n", "median, ms", "of that the graph", "times ours", "parameters"), building
            ),
            markdown_table((f"{figures.specs:,} specs", "s", "µs each"), counting),
            f"{figures.machine}; {versions}; median of {figures.repeats}",
        )
    )


def _many(parent: Parent, space: ChannelRatioSpace, count: int, seed: int) -> tuple[float, float, float]:
    """Seconds to decode, to key and to cost random points of the space: no network is built."""
    names, random = list(space.parameters), np.random.default_rng(seed)
    points = [dict(zip(names, row, strict=True)) for row in random.uniform(0.25, 1, (count, len(names))).tolist()]
    formula = CostFormula.of(parent)
    specs, decoded = _timed(lambda: [space.decode(point)[0] for point in points])
    keys, keyed = _timed(lambda: {spec.key for spec in specs})
    costs, costed = _timed(lambda: formula.costs(specs))
    if len(keys) < count or costs.flops.shape != (count,):
        raise SystemExit(f"{count} points gave {len(keys)} keys and {costs.flops.shape} costs")
    return decoded, keyed, costed


def readable(network: Any) -> nn.Module:
    """A copy that torch-pruning can read: each C2f with two convolutions instead of one that is split, raw outputs."""
    rewritten = copy.deepcopy(network).eval().requires_grad_(True)  # it finds no group of frozen layers
    for index, layer in enumerate(rewritten.model):
        if isinstance(layer, C2f):
            rewritten.model[index] = _TwoConvolutions(layer)
    model = _Raw(rewritten)
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        pairs = zip(model(images), raw_outputs(network, images), strict=True)
        difference = max(float((own - stock).abs().max()) for own, stock in pairs)
    if difference > 1e-4:  # float32: convolutions of other widths may sum in another order
        raise SystemExit(f"the rewritten network differs from the stock one by {difference}")
    return model


class _Raw(nn.Module):
    """A detector whose head returns what its towers make, before decoding."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> list[Tensor]:
        return raw_outputs(self.network, images)


class _TwoConvolutions(nn.Module):
    """A C2f whose first convolution is two, one for each half of its output."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        self.i, self.f = block.i, block.f
        self.halves = nn.ModuleList(_part(block.cv1, half, block.c) for half in (0, 1))
        self.m, self.cv2 = block.m, block.cv2

    def forward(self, x: Tensor) -> Tensor:
        outputs = [half(x) for half in self.halves]
        for member in self.m:
            outputs.append(member(outputs[-1]))
        made: Tensor = self.cv2(torch.cat(outputs, 1))
        return made


def _part(whole: Any, half: int, width: int) -> nn.Module:
    channels = slice(half * width, (half + 1) * width)
    part = Conv(whole.conv.in_channels, width, 1)
    part.bn.eps = whole.bn.eps
    state = {name: tensor[channels] if tensor.ndim else tensor for name, tensor in whole.state_dict().items()}
    part.load_state_dict(state)
    return part.eval()


def _pruner(model: Any, kind: str, side: int) -> Any:
    """The last layers stay. Fresh dicts, because it writes into its defaults."""
    head = model.network.model[-1]
    last = [tower[-1] for towers in (head.cv2, head.cv3) for tower in towers]
    return getattr(torch_pruning.pruner, kind)(
        model, torch.rand(1, 3, side, side), importance=torch_pruning.importance.GroupMagnitudeImportance(),
        pruning_ratio=RATIO, round_to=MULTIPLE, ignored_layers=[*last, head.dfl],
        in_channel_groups={}, out_channel_groups={}, num_heads={}, channel_groups={},
    )  # fmt: skip


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    begun = time.perf_counter()
    result = work()
    return result, time.perf_counter() - begun


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


if __name__ == "__main__":
    main()
