"""Features of a network's latency: sums over its layers to which an engine's work is roughly proportional.

Engines compute convolutions on blocks of channels, so a partly filled block costs as much as a full one. If the number
of input channels does not fit the block, a slower kernel runs (onnxruntime's NCHWc kernels need multiples of 4), and
tensors are converted between layouts. The size of the block is chosen in `objectives.timing.latency_model`.

Source: onnxruntime, `core/optimizer/nchwc_transformer.cc`: which layers are blocked, and when layouts change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spaces.base import SpaceError
from spaces.networks.cost_formula import Amounts, CostFormula, Layers
from spaces.structure.shape import Shape
from spaces.structure.structure import Structure

INPUT_MULTIPLE = 4  # layers whose number of input channels is a multiple of it are computed in blocks
BLOCKS_A_READ = 4  # number of output blocks that are computed while the input stays in registers

PRIOR = {
    "blocked": (0.4, 0.3),
    "plain": (0.6, 0.4),
    "exact": (0.0, 0.2),
    "depthwise": (0.05, 0.05),
    "reread": (0.1, 0.1),
    "unrolled": (0.05, 0.1),
    "written": (0.2, 0.15),
    "joined": (0.03, 0.05),
    "part_filled": (0.03, 0.05),
    "weights": (0.1, 0.1),
    "layers": (0.05, 0.05),
    "network": (0.05, 0.05),
}
"""Mean and standard deviation of each feature's share in the time of the whole network."""

STAGE_SD = 0.15  # standard deviation of a layer's speed between resolutions, as in `PRIOR`


@dataclass(frozen=True)
class Features:
    """Features of networks of one structure, as multiples of the features of the uncut network.

    Attributes:
        imgsz: Image size in px of the uncut network.
        block: Number of channels that the engine computes together.
    """

    structure: Structure
    imgsz: int
    block: int

    @property
    def prior(self) -> tuple[Amounts, Amounts]:
        """Mean and standard deviation (F,) of each feature's share in the uncut network's time."""
        mean, deviation = np.array(list(PRIOR.values())).T
        more = 2 * len(np.unique(self._whole_formula.layers(*self._whole).positions))
        return np.append(mean, np.zeros(more)), np.append(deviation, np.full(more, STAGE_SD))

    def of(self, shapes: Sequence[Shape]) -> Amounts:
        """Return the features (N, F) of N shapes, of any image sizes.

        Raises:
            SpaceError: If a shape is of another structure.
        """
        widths, dropped = self._arrays(shapes)
        sizes = np.array([shape.imgsz for shape in shapes], dtype=np.int64)
        found = np.empty((len(shapes), len(self.prior[0])))
        scale = self._scale()
        for size in np.unique(sizes):
            rows = sizes == size
            formula = CostFormula.at(self.structure, int(size))
            found[rows] = self._sums(formula.layers(widths[rows], dropped[rows], self.block)) / scale
        return found

    @property
    def _whole_formula(self) -> CostFormula:
        return CostFormula.at(self.structure, self.imgsz)

    @property
    def _whole(self) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Widths (1, G) and dropped repeats (1, R) of the uncut network."""
        return np.array([self.structure.full_spec.widths]), np.zeros((1, len(self.structure.repeats)), dtype=bool)

    def _arrays(self, shapes: Sequence[Shape]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        groups, places = len(self.structure.groups), {each.name: i for i, each in enumerate(self.structure.repeats)}
        dropped = np.zeros((len(shapes), len(places)), dtype=bool)
        for row, shape in enumerate(shapes):
            if shape.parent != self.structure.key or len(shape.widths) != groups:
                raise SpaceError(
                    f"shape {shape.key} is of parent {shape.parent} with {len(shape.widths)} channel groups, "
                    f"not of {self.structure.key} with {groups}"
                )
            for name in shape.dropped:
                if name not in places:
                    raise SpaceError(f"shape {shape.key} drops '{name}', which is no bottleneck of {shape.parent}")
                dropped[row, places[name]] = True
        return np.array([shape.widths for shape in shapes], dtype=np.int64).reshape(len(shapes), groups), dropped

    def _scale(self) -> Amounts:
        """Return the divisor of each feature (F,): its value in the uncut network, or an estimate if that may be 0."""
        layers = self._whole_formula.layers(*self._whole)
        made, at = layers.made[0], layers.positions
        dense = np.where(layers.depthwise, 0.0, layers.read[0] * made * layers.kernel)
        work, written, weights = dense @ at, made @ at, dense.sum()
        depthwise = max(np.where(layers.depthwise, made * layers.kernel, 0.0) @ at, 0.3 * written)
        common = (work, work, work, depthwise, work / 30, work / 20, written, written, written, weights, len(at), 1.0)
        return np.append(np.array(common, dtype=np.float64), np.full(2 * len(np.unique(at)), work))

    def _sums(self, layers: Layers) -> Amounts:
        dense, at = ~layers.depthwise, layers.positions
        made = layers.made * layers.present
        read = layers.read * (layers.present & dense)
        plain = (read % INPUT_MULTIPLE != 0) & (read >= self.block) & (self.block > 1)
        made_blocks = _filled(made, self.block)
        blocked = np.where(plain, 0.0, _filled(read, self.block) * made_blocks * layers.kernel)
        unblocked = np.where(plain, read * made * layers.kernel, 0.0)
        several = np.where(layers.kernel > 1, layers.kernel, 0.0)
        rereads = np.ceil(made / (BLOCKS_A_READ * max(self.block, INPUT_MULTIPLE)))
        columns = [
            blocked @ at,
            unblocked @ at,
            (read * made * layers.kernel) @ at,
            (made_blocks * layers.kernel * ~dense) @ at,
            (np.where(plain, 0.0, _filled(read, self.block)) * rereads * layers.kernel) @ at,
            (read * plain * several) @ at,
            made_blocks @ at,
            (read * layers.joins) @ at,
            np.where(made % self.block != 0, made, 0.0) @ at,
            (blocked + unblocked).sum(axis=1),
            layers.present.sum(axis=1),
            np.ones(len(made)),
        ]
        resolutions = at[:, None] * (at[:, None] == np.unique(at))  # (L, resolutions)
        return np.hstack([np.stack(columns, axis=1), blocked @ resolutions, unblocked @ resolutions])


def _filled(channels: Amounts, block: int) -> Amounts:
    """Return numbers of channels, rounded up to whole blocks."""
    rounded: Amounts = np.ceil(channels / block) * block
    return rounded
