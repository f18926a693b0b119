"""Parameters and FLOPs of any cut of a parent, by formulas; equal to counting on the built network.

The parent's deployed (fused) network runs once. From then on a convolution that reads `i` channels and makes `o` has
`k * i * o + o` parameters and `2 * k * i * o` FLOPs for each of its output positions, with `k` weights for a pair of
channels; `i` and `o` are sums of widths of channel groups. All else (attention's matrix products) keeps its size.

Source: the count of `torch.utils.flop_counter.FlopCounterMode`: 2 x multiply-adds of convolutions and matrix products.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from spaces.base import ArchSpec, SpaceError
from spaces.networks.deployed import fused, image_side
from spaces.networks.parent import Parent
from spaces.structure.groups import Side
from spaces.structure.heads import channel_layers
from spaces.structure.repeats import Repeat
from spaces.structure.structure import Structure

Counts = NDArray[np.int64]
Amounts = NDArray[np.float64]
_FORMULAS: dict[tuple[str, int], CostFormula] = {}


@dataclass(frozen=True)
class Costs:
    """Costs of N deployed networks.

    Attributes:
        parameters: (N,).
        flops: (N,), 2 x multiply-adds for one image.
    """

    parameters: Counts
    flops: Counts


@dataclass(frozen=True)
class CostParts:
    """Cost of one network by channel group; the rest belongs to channels that stay whole.

    Half of a layer's cost is counted for the channels that it reads, half for those that it makes, in equal parts to
    each channel; the cost of a depthwise layer or a bias is counted for the channels made. So the parts of all groups
    and of the channels that stay whole add up to the network, and cutting half of a group saves about its part.

    Attributes:
        parameters: (G,), in parameters.
        flops: (G,), in FLOPs.
    """

    parameters: Amounts
    flops: Amounts


@dataclass(frozen=True)
class Layers:
    """L convolutions of N deployed networks, in the order of the network's modules.

    Attributes:
        read: (N, L), channels that each reads; 1 for a depthwise layer.
        made: (N, L), channels that each makes.
        present: (N, L), whether the network has it: False inside a dropped bottleneck.
        joins: (N, L), whether it reads several tensors side by side, one of which is no multiple of `multiple`.
        kernel: (L,), weights for a pair of channels.
        positions: (L,), positions of the output, for one image.
        depthwise: (L,), whether it is depthwise.
    """

    read: Amounts
    made: Amounts
    present: NDArray[np.bool_]
    joins: NDArray[np.bool_]
    kernel: Amounts
    positions: Amounts
    depthwise: NDArray[np.bool_]


@dataclass(frozen=True)
class _Channels:
    """Channels on one side of L layers: how often each of G groups is there, and how many are in no group."""

    groups: Amounts
    fixed: Amounts

    def count(self, widths: Amounts) -> Amounts:
        """Return the channels (N, L) for widths (N, G). Floats are faster, and exact for whole numbers below 2^53."""
        counted: Amounts = widths @ self.groups.T + self.fixed
        return counted


@dataclass(frozen=True)
class _Loss:
    """Parts that are dropped with a bottleneck: whole layers (L,), and some channels that one further layer reads."""

    layers: NDArray[np.bool_]
    reader: int | None
    channels: _Channels


class CostFormula:
    """Costs of all networks that can be cut from one structure, at one image size."""

    def __init__(self, structure: Structure, side: int) -> None:
        """Run the deployed network once and note what each of its layers reads and makes.

        Args:
            side: Side of the square image, in px; a multiple of the network's stride.
        """
        network = fused(structure.network)
        layers: dict[str, Any] = channel_layers(network)
        positions, flops = _run(network, layers, side)
        origins = [_origin(structure.network, name) for name in layers]
        self._structure = structure
        self._made = _channels(structure, origins, "out", [_sides(layer)[1] for layer in layers.values()])
        self._read = _channels(structure, origins, "in", [_sides(layer)[0] for layer in layers.values()])
        self._kernel = np.array([layer.weight[0, 0].numel() for layer in layers.values()], dtype=np.float64)
        self._bias = np.array([layer.bias is not None for layer in layers.values()], dtype=np.float64)
        self._depthwise = np.array([getattr(layer, "groups", 1) > 1 for layer in layers.values()])
        self._positions = np.array([positions[name] for name in layers], dtype=np.float64)
        self._losses = [_loss(structure, repeat, origins) for repeat in structure.repeats]
        self._repeats = {repeat.name: index for index, repeat in enumerate(structure.repeats)}
        self._other = Costs(np.zeros(1, np.int64), np.zeros(1, np.int64))
        convolutions = self.costs((structure.full_spec,))
        parameters = sum(parameter.numel() for parameter in network.parameters())
        self._other = Costs(parameters - convolutions.parameters, flops - convolutions.flops)

    @staticmethod
    def of(parent: Parent) -> CostFormula:
        """Return the formula for a parent at its image size; made at the first call in this process."""
        return CostFormula.at(parent.structure, parent.imgsz)

    @staticmethod
    def at(structure: Structure, imgsz: int) -> CostFormula:
        """Return the formula for a structure; made at the first call in this process.

        Args:
            imgsz: Image size in px; rounded up to the network's stride.
        """
        side = image_side(structure.network, imgsz)
        if (structure.key, side) not in _FORMULAS:
            _FORMULAS[structure.key, side] = CostFormula(structure, side)
        return _FORMULAS[structure.key, side]

    def costs(self, specs: Sequence[ArchSpec]) -> Costs:
        """Return the costs of N specs.

        Raises:
            SpaceError: If one is of another parent.
        """
        for spec in specs:
            if spec.parent != self._structure.key:
                raise SpaceError(f"spec {spec.key} is of parent {spec.parent}, not of {self._structure.key}")
        return self.of_widths(self._widths(specs), self._dropped(specs))

    def of_widths(self, widths: NDArray[Any], dropped: NDArray[np.bool_] | None = None) -> Costs:
        """Return the costs of N networks from their widths alone.

        Args:
            widths: (N, G), channels of each group, in the structure's order.
            dropped: (N, R), which of the structure's repeats are left out; by default none.
        """
        if dropped is None:
            dropped = np.zeros((len(widths), len(self._losses)), dtype=bool)
        weights, biases, _, _ = self._layers(widths.astype(np.float64), dropped)
        parameters, flops = (weights + biases).sum(axis=1), 2 * weights @ self._positions
        return Costs(parameters.astype(np.int64) + self._other.parameters, flops.astype(np.int64) + self._other.flops)

    def layers(self, widths: NDArray[Any], dropped: NDArray[np.bool_], multiple: int = 1) -> Layers:
        """Return the channels that each convolution of N networks reads and makes.

        Args:
            widths: (N, G), channels of each group, in the structure's order.
            dropped: (N, R), which of the structure's repeats are left out.
            multiple: Number of channels whose multiples `Layers.joins` looks for.
        """
        _, _, read, made = self._layers(widths.astype(np.float64), dropped)
        present = np.ones(read.shape, dtype=bool)
        for loss, rows in zip(self._losses, dropped.T, strict=True):
            present[np.ix_(rows, loss.layers)] = False
        odd = (widths % multiple != 0).astype(np.float64)
        several = self._read.groups.sum(axis=1) + (self._read.fixed > 0) > 1
        joins = several & (odd @ (self._read.groups > 0).T > 0)
        return Layers(read, made, present, joins, self._kernel, self._positions, self._depthwise)

    def parts(self, spec: ArchSpec) -> CostParts:
        """Divide the cost of one spec among its groups."""
        widths = self._widths((spec,)).astype(np.float64)
        weights, biases, read, made = (each[0] for each in self._layers(widths, self._dropped((spec,))))
        of_read = np.where(self._depthwise, 0.0, weights / 2)
        of_made = weights - of_read
        per_read = self._read.groups * widths / read[:, None]  # (L, G): share of a layer's channels
        for index in np.flatnonzero(self._dropped((spec,))[0]):
            loss = self._losses[index]
            if loss.reader is not None:
                per_read[loss.reader] -= loss.channels.groups[0] * widths[0] / read[loss.reader]
        per_made = self._made.groups * widths / made[:, None]
        return CostParts(
            of_read @ per_read + (of_made + biases) @ per_made,
            2 * (of_read * self._positions) @ per_read + 2 * (of_made * self._positions) @ per_made,
        )

    def _widths(self, specs: Sequence[ArchSpec]) -> NDArray[np.int64]:
        lengths = [len(kept) for spec in specs for kept in spec.kept]
        return np.array(lengths, dtype=np.int64).reshape(len(specs), len(self._structure.groups))

    def _dropped(self, specs: Sequence[ArchSpec]) -> NDArray[np.bool_]:
        dropped = np.zeros((len(specs), len(self._losses)), dtype=bool)
        for row, spec in enumerate(specs):
            for name in spec.dropped:
                dropped[row, self._repeats[name]] = True
        return dropped

    def _layers(self, widths: Amounts, dropped: NDArray[np.bool_]) -> tuple[Amounts, Amounts, Amounts, Amounts]:
        """Return weights, biases, channels read and channels made of L layers of N networks, each (N, L)."""
        read, made = self._read.count(widths), self._made.count(widths)
        biases = self._bias * made
        weights = self._kernel * made
        for index in np.flatnonzero(dropped.any(axis=0)):
            loss, rows = self._losses[index], dropped[:, index]
            if loss.reader is not None:
                read[:, loss.reader] -= rows * loss.channels.count(widths)[:, 0]
            weights[np.ix_(rows, loss.layers)] = 0
            biases[np.ix_(rows, loss.layers)] = 0
        return weights * read, biases, read, made


def _run(network: Any, layers: Mapping[str, nn.Module], side: int) -> tuple[dict[str, int], int]:
    """Return output positions of each layer for one image (0 if it does not run), and FLOPs of the whole network."""
    positions = dict.fromkeys(layers, 0)

    def note(name: str, read: Tensor, made: Tensor) -> None:
        # A transposed convolution multiplies once for each position that it reads; a linear layer has one position.
        counted = read if isinstance(layers[name], nn.ConvTranspose2d) else made
        positions[name] += math.prod(counted.shape[2:])

    hooks = [
        layer.register_forward_hook(lambda _, inputs, output, name=name: note(name, inputs[0], output))
        for name, layer in layers.items()
    ]
    counter = FlopCounterMode(display=False)
    try:
        with torch.inference_mode(), counter:
            network(torch.zeros(1, 3, side, side))
    finally:
        for hook in hooks:
            hook.remove()
    return positions, int(counter.get_total_flops())


def _sides(layer: Any) -> tuple[int, int]:
    """Return the channels that a layer reads (1 if it is depthwise) and makes."""
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    return layer.in_channels if isinstance(layer, nn.ConvTranspose2d) else layer.weight.shape[1], layer.out_channels


def _origin(network: nn.Module, name: str) -> str:
    """Return the trained convolution whose channels a fused one has: parallel ones (RepConv, RepVGGDW) become one."""
    modules = dict(network.named_modules())
    for origin in (name, f"{name}.conv", f"{name}1.conv"):
        if isinstance(modules.get(origin), nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            return origin
    raise SpaceError(f"layer {name} of the fused network has no layer of the trained one that it comes from")


def _channels(structure: Structure, origins: Sequence[str], side: Side, totals: Sequence[int]) -> _Channels:
    places = {name: row for row, name in enumerate(origins)}
    groups = np.zeros((len(origins), len(structure.groups)))
    for column, group in enumerate(structure.groups):
        for member in group.members:
            if member.side == side and member.module in places:
                groups[places[member.module], column] += 1
    return _Channels(groups, np.array(totals) - groups @ np.array(structure.full_spec.widths))


def _loss(structure: Structure, repeat: Repeat, origins: Sequence[str]) -> _Loss:
    layers = np.array([origin.startswith(f"{repeat.name}.") for origin in origins])
    groups = np.zeros((1, len(structure.groups)))
    if repeat.reader is None:
        return _Loss(layers, None, _Channels(groups, np.zeros(1)))
    reader = repeat.reader.removesuffix(".weight")
    width = structure.network.get_submodule(reader).in_channels // (2 + repeat.members)
    lost = range((2 + repeat.index) * width, (3 + repeat.index) * width)
    for column, group in enumerate(structure.groups):
        for member in group.members:
            if (member.module, member.side) == (reader, "in") and member.positions[0] in lost:
                groups[0, column] += 1
    fixed = width - groups @ np.array(structure.full_spec.widths)
    return _Loss(layers, origins.index(reader), _Channels(groups, fixed))
