"""torch-pruning's dependency graph of a detector, which is rewritten first so that the graph can read it.

The graph is wrong where a block splits one convolution's output in two (C2f and similar blocks), and a walk along
the graph may never end in attention. So the copy has two convolutions in place of that one, and one plain convolution
in place of each attention, which couples no channels outside. All results are given under the original's names.
"""

from __future__ import annotations

import copy
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest
import torch
from torch import nn

import spaces.offline  # noqa: F401  (before ultralytics)
from benchmarks.building.split_blocks import RawDetector, split_blocks
from spaces.structure.groups import Side

# isort: split
from ultralytics.nn.modules.block import AAttn, Attention

torch_pruning: Any = pytest.importorskip("torch_pruning", reason="the oracle is a development dependency")

SECONDS = 60  # it needs less than one; where it cannot read a network, it does not end
Place = tuple[str, Side, int]


class Oracle:
    """Groups and importance of a detector's channels by torch-pruning."""

    def __init__(self, network: nn.Module) -> None:
        """Rewrite a copy and build its graph."""
        self.network = copy.deepcopy(network)
        self._halves: dict[str, int] = {}  # convolution or batch norm that was split -> channels of each half
        self.attention: list[str] = []
        for name, width in split_blocks(self.network).items():
            self._halves |= {f"{name}.{part}": width for part in ("conv", "bn")}
        for name, module in list(self.network.named_modules()):
            if isinstance(module, Attention | AAttn):
                owner, _, attribute = name.rpartition(".")
                width = module.proj.conv.out_channels
                setattr(self.network.get_submodule(owner), attribute, nn.Conv2d(width, width, 1))
                self.attention.append(name)
        self._names = {module: name for name, module in self.network.named_modules()}
        self.graph = torch_pruning.DependencyGraph()
        with _time_limit():
            self.graph.build_dependency(
                RawDetector(self.network), example_inputs=torch.rand(1, 3, 64, 64), verbose=False
            )

    def coupled(self, module: str, positions: Sequence[int]) -> set[tuple[int, Place]]:
        """Everywhere that channels made by one convolution occur, each with its index in `positions`."""
        width = self._halves.get(module, max(positions) + 1)
        found = set()
        for half in {position // width for position in positions}:
            own = {position % width: i for i, position in enumerate(positions) if position // width == half}
            for item in self.group(module, half, list(own)):
                name = self._names.get(item.dep.target.module)
                if name is not None:
                    pairs = zip(item.idxs, item.root_idxs, strict=True)
                    found |= {(own[root], place) for at, root in pairs for place in self._places(name, item, at)}
        return found

    def group(self, module: str, half: int, positions: Sequence[int]) -> Any:
        """The graph's group of some channels that a convolution, or half of a split one, makes."""
        made_by = f"{module.removesuffix('.conv')}.{half}.conv" if module in self._halves else module
        producer = self.network.get_submodule(made_by)
        with _time_limit():
            return self.graph.get_pruning_group(producer, torch_pruning.prune_conv_out_channels, idxs=list(positions))

    def is_in_attention(self, module: str) -> bool:
        """Return whether a layer of the original is a part of attention."""
        return any(module.startswith(f"{attention}.") for attention in self.attention)

    def _places(self, name: str, item: Any, at: int) -> list[Place]:
        """A place in the rewritten network, in the original."""
        side: Side = "out" if "out" in item.dep.handler.__name__ else "in"
        if name in self.attention:
            inner = ["qkv.conv"] if side == "in" else ["proj.conv", "proj.bn"]
            return [(f"{name}.{part}", side, at) for part in inner]
        block, half, part = name.rpartition(".cv1.")[0], *name.split(".")[-2:]
        original = f"{block}.cv1.{part}"
        if original in self._halves and name == f"{block}.cv1.{half}.{part}":
            return [(original, side, at + (int(half) * self._halves[original] if side == "out" else 0))]
        return [(name, side, at)]


@contextmanager
def _time_limit() -> Iterator[None]:
    def stop(_: int, __: FrameType | None) -> None:
        raise TimeoutError(f"torch-pruning has found no answer in {SECONDS} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
