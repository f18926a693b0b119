"""Copies of detectors that torch-pruning can read: convolutions whose output is split in two are written as two.

Its dependency graph loses track of channels where a block splits one convolution's output (C2f and similar blocks).
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from spaces.structure.slicing import HALVED
from spaces.structure.structure import raw_outputs


class SplitConvolution(nn.ModuleList):
    """Ultralytics' `Conv` as two modules; each makes half of its channels.

    Attributes:
        width: Channels of one half.
    """

    def __init__(self, whole: Any) -> None:
        self.width = whole.conv.out_channels // 2
        super().__init__(_slice(whole, slice(half * self.width, (half + 1) * self.width)) for half in (0, 1))

    def forward(self, x: Tensor) -> SplitOutput:
        """Return the two halves."""
        return SplitOutput(half(x) for half in self)


class SplitOutput(tuple[Tensor, Tensor]):
    """Two halves of an output: `chunk` and `split`, which the block calls, return them as they are."""

    def chunk(self, *_: Any, **__: Any) -> SplitOutput:
        """Return the halves."""
        return self

    split = chunk


class RawDetector(nn.Module):
    """A detector that returns the raw outputs of its head's towers, before decoding."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> list[Tensor]:
        """Run images of shape (N, 3, H, W)."""
        return raw_outputs(self.network, images)


def split_blocks(network: nn.Module) -> dict[str, int]:
    """Replace the first convolution of every block that splits it; return its name and the channels of one half."""
    widths = {}
    for name, module in list(network.named_modules()):
        if isinstance(module, HALVED):
            block: Any = module
            block.cv1 = SplitConvolution(block.cv1)
            widths[f"{name}.cv1"] = block.cv1.width
    return widths


def readable_copy(network: nn.Module) -> RawDetector:
    """Return a copy that torch-pruning can read and that computes the same.

    Raises:
        ValueError: If its raw outputs differ from the network's.
    """
    rewritten = copy.deepcopy(network).eval().requires_grad_(True)  # torch-pruning finds no group of frozen layers
    split_blocks(rewritten)
    model = RawDetector(rewritten)
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        pairs = zip(model(images), raw_outputs(network, images), strict=True)
        difference = max(float((own - stock).abs().max()) for own, stock in pairs)
    if difference > 1e-4:  # float32: convolutions of other widths may sum in another order
        raise ValueError(f"the rewritten network differs from the stock one by {difference}")
    return model


def _slice(whole: Any, channels: slice) -> Any:
    part = copy.deepcopy(whole)
    for module in (part.conv, part.bn):
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
            if tensor.ndim:
                value = tensor.detach()[channels].clone()
                setattr(module, name, nn.Parameter(value) if isinstance(tensor, nn.Parameter) else value)
    part.conv.out_channels = part.bn.num_features = len(part.conv.weight)
    return part
