"""Network slimming: an L1 penalty on the scales of BatchNorm moves the least useful channels towards zero.

The penalty is not added to the loss but applied as a proximal step (soft thresholding) after each optimizer step.
So gradient clipping and Adam's normalisation do not rescale it, and a scale stops at zero instead of oscillating
around it. One step shrinks a scale by `learning rate * strength`.

Source: Liu et al., Learning Efficient Convolutional Networks through Network Slimming, ICCV 2017.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

ATTENTION = frozenset({"Attention", "AAttn"})
"""Names of Ultralytics' blocks whose inner channels are never cut, so that sparsity there is useless."""


def cuttable_scales(network: nn.Module) -> tuple[nn.Parameter, ...]:
    """Return the scales of every BatchNorm2d whose channels can be cut, each of shape (channels,)."""
    kept_whole = {
        id(inner)
        for module in network.modules()
        if type(module).__name__ in ATTENTION
        for inner in module.modules()
        if inner is not module
    }
    return tuple(
        module.weight
        for module in network.modules()
        if isinstance(module, nn.BatchNorm2d) and module.affine and id(module) not in kept_whole
    )


def shrink(scales: list[torch.Tensor], amount: float) -> None:
    """Apply soft thresholding in place: sign(w) * max(|w| - amount, 0)."""
    for scale in scales:
        scale.copy_(scale.sign() * (scale.abs() - amount).clamp_(min=0))


def attach(optimizer: torch.optim.Optimizer, network: nn.Module, strength: float) -> None:
    """Shrink the network's cuttable scales after every step of the optimizer from now on."""
    chosen = {id(scale) for scale in cuttable_scales(network)}

    @torch.no_grad()
    def proximal_step(stepped: torch.optim.Optimizer, _args: Any, _kwargs: Any) -> None:
        for group in stepped.param_groups:
            shrink([p for p in group["params"] if id(p) in chosen], float(group["lr"]) * strength)

    hook: Callable[..., None] = proximal_step
    optimizer.register_step_post_hook(hook)
