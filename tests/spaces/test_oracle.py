"""torch-pruning as an oracle: its dependency graph couples the same channels, where it can read a network at all.

It cannot read the stock `chunk` of YOLOv8 and later (nor attention), so YOLOv5 is what both can trace.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from spaces.parent import Parent
from spaces.structure import raw_outputs

torch_pruning = pytest.importorskip("torch_pruning", reason="the oracle is a development dependency")


class _Raw(nn.Module):
    """The network up to the raw outputs of its towers, as our tracer sees it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> list[Tensor]:
        return raw_outputs(self.network, images)


def test_our_groups_are_those_of_torch_pruning() -> None:
    parent = Parent.load("yolov5n.yaml", classes=3)
    network = copy.deepcopy(parent.network)
    graph: Any = torch_pruning.DependencyGraph()
    graph.build_dependency(_Raw(network), example_inputs=torch.rand(1, 3, 64, 64))
    names = {module: name for name, module in network.named_modules()}
    for group in parent.groups:
        producer = network.get_submodule(group.members[0].module)
        channel = group.width // 2
        theirs = graph.get_pruning_group(
            producer, torch_pruning.prune_conv_out_channels, idxs=[group.members[0].positions[channel]]
        )
        coupled = {
            (names[item.dep.target.module], _side(item.dep.handler), index)
            for item in theirs
            if item.dep.target.module in names
            for index in item.idxs
        }
        ours = {(member.module, member.side, member.positions[channel]) for member in group.members}
        assert ours == coupled, group.name


def _side(handler: Any) -> str:
    return "out" if "out" in handler.__name__ else "in"
