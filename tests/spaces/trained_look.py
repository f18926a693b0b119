"""Networks in which a mistake shows: fresh ones made to look trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def make_look_trained(network: Any, seed: int, images: torch.Tensor | None = None) -> None:
    """Give a fresh network outputs that depend on image and weights, in place.

    Fresh BatchNorm statistics make the signal weaker from layer to layer: two networks with different weights would
    agree within any useful tolerance. So the statistics are computed from images, as in training, after random scales
    and shifts were set. The last convolutions get weights and biases of the size that training gives them.

    Args:
        images: (N, 3, H, W), images that the network will be used on; `pictures` if None.
    """
    import torch

    random = torch.Generator().manual_seed(seed)
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    momentum = [module.momentum for module in norms]
    for module in norms:
        module.weight.data.uniform_(0.8, 1.6, generator=random)
        module.bias.data.normal_(0.0, 0.3, generator=random)
        module.momentum = 1.0
    head = network.model[-1]
    for towers in (getattr(head, "cv3", ()), getattr(head, "one2one_cv3", None) or ()):
        for tower in towers:
            tower[-1].bias.data.normal_(0.0, 1.0, generator=random)
            tower[-1].weight.data.normal_(0.0, 0.1, generator=random)
    mode = network.training
    with torch.no_grad():
        network.train()(pictures(4, 128, random) if images is None else images)
    network.train(mode)
    for module, before in zip(norms, momentum, strict=True):
        module.momentum = before


def pictures(count: int, px: int, random: torch.Generator) -> torch.Tensor:
    """Clouds of all sizes, in [0, 1]. White noise has no large features: deep layers would be equal everywhere."""
    import torch

    clouds = torch.zeros(count, 3, px, px)
    for size in (1, 2, 4, 8, 16):
        coarse = torch.randn(count, 3, size, size, generator=random)
        clouds += torch.nn.functional.interpolate(coarse, size=(px, px), mode="bilinear")
    return (0.5 + 0.2 * clouds).clamp(0, 1)
