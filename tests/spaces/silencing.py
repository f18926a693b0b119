"""The oracle of cutting: a cut network must do what the whole one does with those channels silenced."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from spaces.base import ArchSpec
from spaces.groups import tied
from spaces.parent import Parent
from spaces.structure import raw_outputs

TOLERANCE = 2e-4  # of an output's standard deviation: float32 sums in another order differ by up to 7e-5


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
    return ArchSpec(spec.parent, spec.groups, spec.widths, kept)


@contextmanager
def silenced(parent: Parent, spec: ArchSpec) -> Iterator[nn.Module]:
    """The parent's network with every channel that the spec cuts set to 0 wherever it is made.

    Independent of cutting: it masks what Ultralytics' `Conv` modules return, after batch norm and activation.
    """
    modules = dict(parent.network.named_modules())
    masks: dict[str, Tensor] = {}
    for group, kept in zip(parent.groups, spec.kept, strict=True):
        lost = sorted(set(range(group.width)) - set(kept))
        for member in group.members:
            if member.side == "out" and member.module.endswith(".conv"):
                width = modules[member.module].out_channels
                mask = masks.setdefault(member.module.removesuffix(".conv"), torch.ones(1, width, 1, 1))
                mask[0, [member.positions[channel] for channel in lost]] = 0
    hooks = [
        modules[name].register_forward_hook(lambda _, __, output, mask=mask: output * mask)
        for name, mask in masks.items()
    ]
    try:
        yield parent.network
    finally:
        for hook in hooks:
            hook.remove()


def difference(parent: Parent, spec: ArchSpec, *, silence: ArchSpec | None = None, px: int = 64) -> float:
    """Largest difference of any raw output, in that output's standard deviations, on a random image."""
    images = torch.rand(1, 3, px, px, generator=torch.Generator().manual_seed(7))
    cut = parent.build(spec).network.eval()
    parent.network.eval()
    with torch.no_grad():
        ours = raw_outputs(cut, images)
        with silenced(parent, silence or spec) as network:
            theirs = raw_outputs(network, images)
    return max(((a - b).abs().max() / b.std()).item() for a, b in zip(ours, theirs, strict=True))


def states_differ(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> Sequence[str]:
    """Names of tensors that are not equal bit for bit."""
    assert first.keys() == second.keys()
    return [name for name, tensor in first.items() if not torch.equal(tensor, second[name])]
