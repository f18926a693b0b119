"""The oracle of cutting: a cut network must have the outputs of the whole one with those channels silenced."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

import spaces.offline  # noqa: F401  (before ultralytics)
from spaces.base import ArchSpec
from spaces.networks.parent import Parent
from spaces.structure.groups import Side, tied
from spaces.structure.structure import raw_outputs
from tests.spaces.trained_look import pictures

# isort: split
from ultralytics.nn.modules.conv import Conv

TOLERANCE = 2e-4  # of an output's standard deviation: float32 sums in another order differ by up to 7e-5
DOUBLE_TOLERANCE = 1e-9  # the same in float64, where rounding gives up to 1e-11, also after batch statistics


def randomise_batchnorm(network: nn.Module, seed: int) -> None:
    """Fresh networks have equal scales, no shift and no history, which would hide many a mistake."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            size = module.weight.shape
            module.weight.data = 1 + 0.3 * torch.randn(size, generator=generator)
            module.bias.data = 0.3 * torch.randn(size, generator=generator)
            module.running_mean = 0.3 * torch.randn(size, generator=generator)
            module.running_var = 0.5 + torch.rand(size, generator=generator)


def random_spec(parent: Parent, share: float, seed: int) -> ArchSpec:
    """A spec that keeps about that share of each group, chosen at random; ties keep equal widths."""
    draw = random.Random(seed)
    kept = {}
    for indices in tied(parent.groups).values():
        width = max(1, round(parent.groups[indices[0]].width * min(1.0, share * draw.uniform(0.8, 1.2))))
        for index in indices:
            group = parent.groups[index]
            kept[group.name] = draw.sample(range(group.width), min(width, group.width))
    return parent.spec(kept)


def rolled(spec: ArchSpec) -> ArchSpec:
    """The same widths with every channel number moved by one."""
    kept = tuple(
        tuple(sorted((channel + 1) % width for channel in channels))
        for channels, width in zip(spec.kept, spec.widths, strict=True)
    )
    return replace(spec, kept=kept)


def off_by_one(spec: ArchSpec, group: int) -> ArchSpec | None:
    """The same spec, but one channel number of that group is too high by one; None where none can be."""
    kept, width = spec.kept[group], spec.widths[group]
    movable = [channel for channel in kept if channel + 1 < width and channel + 1 not in kept]
    if not movable:
        return None
    wrong = movable[len(movable) // 2]
    moved = tuple(sorted(channel + (channel == wrong) for channel in kept))
    return replace(spec, kept=(*spec.kept[:group], moved, *spec.kept[group + 1 :]))


@contextmanager
def silenced(parent: Parent, spec: ArchSpec) -> Iterator[nn.Module]:
    """The parent's network with every channel that the spec cuts set to 0 wherever it is made.

    Independent of cutting: it masks what Ultralytics' `Conv` modules return, after batch norm and activation, and what
    convolutions and batch norms outside of them return.
    """
    with ExitStack() as stack:
        for name, lost in _lost(parent, spec, "out", _maker).items():
            module = parent.network.get_submodule(name)
            hook = module.register_forward_hook(lambda _, __, output, lost=lost: output.index_fill(1, lost, 0))
            stack.callback(hook.remove)
        yield parent.network


@contextmanager
def unread(parent: Parent, spec: ArchSpec) -> Iterator[nn.Module]:
    """The parent's network with every channel that the spec cuts set to 0 wherever a convolution reads it.

    The same as silencing it where it is made, but for layers between the two that turn 0 into something else.
    """
    with ExitStack() as stack:
        for name, lost in _lost(parent, spec, "in", lambda _, name: name).items():
            module = parent.network.get_submodule(name)
            hook = module.register_forward_pre_hook(lambda _, x, lost=lost: (x[0].index_fill(1, lost, 0),))
            stack.callback(hook.remove)
        yield parent.network


def _maker(network: nn.Module, name: str) -> str:
    """The module whose output these channels are: the `Conv` around a convolution and its batch norm, if any."""
    outer = name.rpartition(".")[0]
    return outer if isinstance(network.get_submodule(outer), Conv) else name


def _lost(parent: Parent, spec: ArchSpec, side: Side, module_of: Callable[[nn.Module, str], str]) -> dict[str, Tensor]:
    """Channels that the spec cuts, in the numbers of each module that makes or reads them."""
    found: dict[str, set[int]] = {}
    for group, kept in zip(parent.groups, spec.kept, strict=True):
        lost = set(range(group.width)) - set(kept)
        for member in group.members:
            if member.side == side:
                name = module_of(parent.network, member.module)
                found.setdefault(name, set()).update(member.positions[channel] for channel in lost)
    return {name: torch.tensor(sorted(lost), dtype=torch.int64) for name, lost in found.items()}


Silencing = Callable[[Parent, ArchSpec], AbstractContextManager[nn.Module]]


def outputs(network: nn.Module, batch: Tensor) -> list[Tensor]:
    """Raw outputs without gradients."""
    with torch.no_grad():
        return raw_outputs(network, batch)


def distance(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> float:
    """Largest difference of any raw output, in standard deviations of the second's."""
    return max(((a - b).abs().max() / b.std()).item() for a, b in zip(ours, theirs, strict=True))


def images(dtype: torch.dtype = torch.float32) -> Tensor:
    """Two images of 64 px."""
    return pictures(2, 64, torch.Generator().manual_seed(7)).to(dtype)


def differences(
    parent: Parent,
    spec: ArchSpec,
    *silences: ArchSpec,
    by: Silencing = silenced,
    train: bool = False,
    dtype: torch.dtype = torch.float32,
) -> list[float]:
    """Largest difference (see `distance`) between one cut network and the parent silenced in each way, on two images.

    Args:
        train: Whether every batch norm uses the statistics of these images.
    """
    whole = parent
    if train or dtype != torch.float32:  # training moves running statistics
        whole = replace(parent, network=copy.deepcopy(parent.network).to(dtype).train(train))
    ours = outputs(parent.build(spec).network.to(dtype).train(train), images(dtype))
    found = []
    for silence in silences:
        with by(whole, silence) as network:
            found.append(distance(ours, outputs(network, images(dtype))))
    return found


def difference(parent: Parent, spec: ArchSpec, *, silence: ArchSpec | None = None) -> float:
    """Largest difference between the cut network and the silenced one, by default with the cut channels silenced."""
    return differences(parent, spec, silence or spec)[0]


def states_differ(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> Sequence[str]:
    """Names of tensors that are not equal bit for bit."""
    assert first.keys() == second.keys()
    return [name for name, tensor in first.items() if not torch.equal(tensor, second[name])]
