"""Residual bottlenecks that can be left out of a network: where they are, and how some of them are removed.

A bottleneck computes `y = x + f(x)`; without it `y = x`. In a sequence (C3 and similar blocks) it is simply left out.
Where a block concatenates the outputs of its bottlenecks (C2f and similar blocks), the next convolution would then read
x twice: the weights of the second reading are added to those of the first, and the outputs of the network are exactly
those with f silenced.

Source: networks of residual blocks survive the loss of single blocks: Veit et al., NeurIPS 2016 (arXiv:1605.06431).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

import spaces.offline  # noqa: F401  (before ultralytics)
from spaces.base import Section

# isort: split
from ultralytics.nn.modules.block import CIB, Bottleneck, C2f, C2fCIB, C3k2

CONCATENATING = (C2f, C3k2, C2fCIB)
"""Blocks whose `cv2` reads both halves of `cv1` and then the output of each member of `m`, side by side."""

Detector = Any
"""Ultralytics `DetectionModel`: torch's types do not know its attributes."""


@dataclass(frozen=True)
class Repeat:
    """Residual bottleneck that can be left out.

    Attributes:
        name: Name of the module, `model.4.m.1`.
        section: Part of the detector that it belongs to.
        stage: Resolution as the power of two by which the image is shrunk.
        members: Number of bottlenecks in its list.
        concatenated: Whether its output is concatenated for its block's `cv2`.
    """

    name: str
    section: Section
    stage: int
    members: int
    concatenated: bool

    @property
    def container(self) -> str:
        """Name of the list that it belongs to, `model.4.m`."""
        return self.name.rpartition(".")[0]

    @property
    def layer(self) -> int:
        """Number of the top-level layer that it belongs to."""
        return int(self.name.split(".")[1])

    @property
    def index(self) -> int:
        """Position in that list."""
        return int(self.name.rpartition(".")[2])

    @property
    def reader(self) -> str | None:
        """Name of the weight that reads its output among others; None in a sequence."""
        return f"{self.container.rpartition('.')[0]}.cv2.conv.weight" if self.concatenated else None


def found_in(network: Detector, sections: Sequence[Section], stages: Sequence[int]) -> tuple[Repeat, ...]:
    """Return the residual bottlenecks of a detector that can be left out, in the order in which they run.

    Args:
        sections: Section of each top-level layer.
        stages: Stage of each top-level layer.
    """
    modules = dict(network.named_modules())
    found = []
    for name, module in modules.items():
        if isinstance(module, Bottleneck | CIB) and module.add and _can_lose(modules, name):
            layer, container = int(name.split(".")[1]), modules[name.rpartition(".")[0]]
            concatenated = isinstance(container, nn.ModuleList)
            found.append(Repeat(name, sections[layer], stages[layer], len(list(container)), concatenated))
    return tuple(found)


def _can_lose(modules: Mapping[str, nn.Module], name: str) -> bool:
    container = name.rpartition(".")[0]
    if type(modules[container]) is nn.Sequential:
        return container != "model"  # top-level layers are referred to by their numbers
    block = modules[container.rpartition(".")[0]]
    return type(modules[container]) is nn.ModuleList and type(block) in CONCATENATING


@dataclass(frozen=True)
class Shortening:
    """Removal of a network's dropped bottlenecks, with the changes of its tensors' names and shapes.

    A tensor has two names: the parent's, and that in the shortened network, which renumbers those that stay.
    """

    dropped: tuple[Repeat, ...]

    def renamed(self, name: str) -> str | None:
        """Return the name of a parent's tensor in the shortened network; None if it is gone."""
        parts = name.split(".")
        for container, lost in self._lost().items():
            if name.startswith(f"{container}."):
                place = container.count(".") + 1
                index = int(name.split(".")[place])
                if index in lost:
                    return None
                parts[place] = str(index - sum(other < index for other in lost))
        return ".".join(parts)

    def restored(self, state: Mapping[str, Tensor], names: Sequence[str]) -> dict[str, Tensor]:
        """Return the tensors of a shortened network under the parent's names; those of dropped bottlenecks are absent.

        Weights that read several outputs get zeros where the dropped ones would stand.

        Args:
            names: Names of the parent's tensors.
        """
        readers = self._readers()
        whole = {name: state[own] for name in names for own in [self.renamed(name)] if own is not None}
        for name, (outputs, lost) in readers.items():
            whole[name] = _with_zeros(whole[name], outputs, lost)
        return whole

    def shape(self, name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of a tensor in the shortened network, from the one it has where nothing is dropped."""
        if name not in self._readers():
            return shape
        outputs, lost = self._readers()[name]
        return (shape[0], shape[1] // outputs * (outputs - len(lost)), *shape[2:])

    def shorten(self, network: Detector) -> None:
        """Remove the dropped bottlenecks from a network, in place. Its outputs are those with them silenced.

        Args:
            network: Network with the parent's modules, cut or not.
        """
        for container, lost in sorted(self._lost().items(), key=lambda item: -item[0].count(".")):  # inner ones first
            members = network.get_submodule(container)
            stay = [member for index, member in enumerate(members) if index not in lost]
            # In place: a list may be a top-level layer, which holds more than its members.
            members._modules = {str(index): member for index, member in enumerate(stay)}
        for name, (outputs, lost) in self._readers().items():
            _fold(network.get_submodule(name.removesuffix(".weight")), outputs, lost)

    def _lost(self) -> dict[str, list[int]]:
        """Return, for each list, the places of the bottlenecks that are gone."""
        lost: dict[str, list[int]] = {}
        for repeat in self.dropped:
            lost.setdefault(repeat.container, []).append(repeat.index)
        return lost

    def _readers(self) -> dict[str, tuple[int, list[int]]]:
        """Return, for each weight that reads several outputs, their number in the parent and those that are gone."""
        found: dict[str, tuple[int, list[int]]] = {}
        for repeat in self.dropped:
            if repeat.reader is not None:
                _, lost = found.setdefault(repeat.reader, (2 + repeat.members, []))
                lost.append(2 + repeat.index)  # after the halves of cv1
        return found


def _with_zeros(weight: Tensor, outputs: int, lost: Sequence[int]) -> Tensor:
    """Return the columns (out, in, 1, 1) of outputs that a shortened network lacks, as zeros in their places."""
    parts = iter(weight.chunk(outputs - len(lost), dim=1))
    empty = torch.zeros_like(weight[:, : weight.shape[1] // (outputs - len(lost))])
    return torch.cat([empty if place in lost else next(parts) for place in range(outputs)], dim=1)


def _fold(convolution: nn.Conv2d, outputs: int, lost: Sequence[int]) -> None:
    """Add the weights of each lost output to those of the output before it, which it now equals."""
    parts = list(convolution.weight.detach().chunk(outputs, dim=1))
    for place in sorted(lost, reverse=True):
        parts[place - 1] = parts[place - 1] + parts.pop(place)
    convolution.weight = nn.Parameter(torch.cat(parts, dim=1), requires_grad=convolution.weight.requires_grad)
    convolution.in_channels = convolution.weight.shape[1]
