"""Copy of a network with fewer channels: tensors sliced, modules resized, stored sizes updated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

import spaces.offline  # noqa: F401  (before ultralytics)
from spaces.base import ArchSpec
from spaces.structure.groups import CutPlan, Side
from spaces.structure.heads import channel_layers
from spaces.structure.module_copy import copy_module
from spaces.structure.repeats import Detector, Shortening

# isort: split
from ultralytics.nn.modules.block import C2, C2PSA, PSA, ADown, C2f, RepNCSPELAN4
from ultralytics.nn.modules.conv import RepConv

HALVED = (C2, C2f, C2PSA, PSA, RepNCSPELAN4)
"""Modules that split the output of `cv1` into two halves of `c` channels, which they store."""

State = Mapping[str, Tensor]
Sizes = dict[tuple[str, Side], int]

Seam = Literal["parent", "zeros"]
"""Weights with which a donor's convolution reads channels that the donor has cut."""
SEAMS: tuple[Seam, ...] = get_args(Seam)


def sizes_of(network: nn.Module) -> Sizes:
    """Return channels that each convolution and batch norm reads and makes."""
    sizes: Sizes = {}
    layers: dict[str, Any] = channel_layers(network)
    for name, module in network.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            sizes[name, "out"] = module.num_features
        elif name in layers:
            linear = isinstance(module, nn.Linear)
            sizes[name, "in"] = layers[name].in_features if linear else layers[name].in_channels
            sizes[name, "out"] = layers[name].out_features if linear else layers[name].out_channels
    return sizes


def transposed_in(network: nn.Module) -> tuple[str, ...]:
    """Return the names of the layers whose weight has the channels that they read first."""
    return tuple(name for name, layer in channel_layers(network).items() if isinstance(layer, nn.ConvTranspose2d))


class Slicer:
    """Slicing of the tensors of a spec from the parent's, and writing a donor's back to their places."""

    def __init__(self, plan: CutPlan, spec: ArchSpec) -> None:
        self._kept = {key: torch.from_numpy(indices) for key, indices in plan.kept(spec).items()}
        self._transposed = plan.transposed

    def take(self, name: str, tensor: Tensor) -> Tensor:
        """Return the kept part of one tensor of the parent's size, copied."""
        part = tensor
        for dim, kept in self._dims(name, tensor):
            part = part.index_select(dim, kept)
        return tensor.clone() if part is tensor else part

    def put(self, name: str, tensor: Tensor, part: Tensor, seam: Seam = "parent") -> Tensor:
        """Return a copy of a parent-sized tensor with this spec's part written over it.

        Args:
            seam: Weights in its rows for channels that this spec does not read: the parent's, or zeros.
        """
        kept = dict(self._dims(name, tensor))
        if not kept:
            return part.to(tensor.dtype)
        whole = tensor.clone()
        if name.rpartition(".")[0] in self._transposed and tensor.ndim > 1:
            written = whole.transpose(0, 1)  # a view: rows are channels made again
            part, kept = part.transpose(0, 1), {1 - dim: indices for dim, indices in kept.items()}
        else:
            written = whole
        rows = kept.get(0, torch.arange(written.shape[0]))
        if 1 in kept:
            if seam == "zeros":
                written[rows] = 0
            written[rows[:, None], kept[1][None, :]] = part.to(whole.dtype)
        else:
            written[rows] = part.to(whole.dtype)
        return whole

    def shape(self, name: str, tensor: Tensor) -> tuple[int, ...]:
        """Return the shape of the kept part of one tensor of the parent's size."""
        shape = list(tensor.shape)
        for dim, kept in self._dims(name, tensor):
            shape[dim] = len(kept)
        return tuple(shape)

    def _dims(self, name: str, tensor: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Yield the cut dimensions of a tensor with the kept indices. A depthwise weight has no side `in`."""
        module = name.rpartition(".")[0]
        read_first = tensor.ndim >= 2 and module in self._transposed
        if tensor.ndim >= 1 and (module, "out") in self._kept:
            yield int(read_first), self._kept[module, "out"]
        if tensor.ndim >= 2 and (module, "in") in self._kept:
            yield 1 - int(read_first), self._kept[module, "in"]


def resized(network: Detector, state: State, shortening: Shortening | None = None) -> Detector:
    """Return a copy of the parent's network that holds these tensors, every module sized as its tensors are.

    Args:
        network: The parent's network, whole. Not modified.
        state: One tensor for each name in the network's state dict; used as they are, not copied.
        shortening: Bottlenecks to leave out afterwards.
    """
    memo: dict[int, object] = {}
    # Copying takes what memo holds instead: the parent's own tensors are never duplicated.
    for name, parameter in network.named_parameters():
        memo[id(parameter)] = nn.Parameter(state[name], requires_grad=parameter.requires_grad)
    for name, buffer in network.named_buffers():
        memo[id(buffer)] = state[name]
    twin: Detector = copy_module(network, memo)
    for module in twin.modules():
        _renew_sizes(module)
    if shortening is not None:
        shortening.shorten(twin)
    for layer in twin.model:
        layer.np = sum(parameter.numel() for parameter in layer.parameters())
    return twin


def _renew_sizes(module: Any) -> None:
    if isinstance(module, nn.Conv2d):
        if module.groups > 1 and module.groups == module.in_channels == module.out_channels:  # depthwise in the parent
            module.groups = module.in_channels = module.weight.shape[0]
        else:
            module.in_channels = module.weight.shape[1] * module.groups
        module.out_channels = module.weight.shape[0]
    elif isinstance(module, nn.ConvTranspose2d):
        module.in_channels, module.out_channels = module.weight.shape[0], module.weight.shape[1] * module.groups
    elif isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, nn.BatchNorm2d):
        module.num_features = module.weight.shape[0]
    elif isinstance(module, HALVED):
        module.c = module.cv1.conv.weight.shape[0] // 2
    elif isinstance(module, ADown):
        module.c = module.cv1.conv.weight.shape[0]
    elif isinstance(module, RepConv):
        module.c1, module.c2 = module.conv1.conv.weight.shape[1] * module.g, module.conv1.conv.weight.shape[0]
