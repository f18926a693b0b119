"""Criteria of importance, layer by layer: one number for each channel that a layer makes or reads.

They are summed over each group of coupled channels in `spaces/ranking/importance.py`.

Sources: `l1`, `l2`: Li et al., Pruning Filters for Efficient ConvNets, ICLR 2017. `lamp`: Lee et al., Layer-adaptive
Sparsity for the Magnitude-based Pruning, ICLR 2021. `taylor`: Molchanov et al., Importance Estimation for Neural
Network Pruning, CVPR 2019. `batchnorm`: Liu et al., Network Slimming, ICCV 2017.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from spaces.structure.groups import Side
from spaces.structure.slicing import State

Criterion = Literal["l1", "l2", "lamp", "taylor", "batchnorm", "random"]
CRITERIA: tuple[Criterion, ...] = get_args(Criterion)


def channel_terms(
    state: State, module: str, side: Side, criterion: Criterion, gradients: State | None = None
) -> Tensor | None:
    """Return the term of each channel on one side of one layer.

    In a convolution, w are the weights that make channel k (side `out`) or read it (side `in`):
    `l1` is sum |w|, `l2` and `lamp` are sum w^2 (`lamp` is then weighted by `layer_adaptive`), `taylor` is
    |sum w * dL/dw|. A batch norm with scale g and shift b counts in two criteria: in `taylor` by
    |g * dL/dg + b * dL/db|, to first order the loss change when its channel is silenced; in `batchnorm` by |g|.

    Args:
        module: Full name of a convolution or batch norm.
        gradients: For `taylor`: dL/dw by parameter name, of the same network as `state`.

    Returns:
        (channels,), float64; None if the layer does not count in this criterion or is not in the state.
    """
    weight = state.get(f"{module}.weight")
    if weight is None:
        return None  # the layer of a dropped bottleneck
    norm = weight.ndim == 1
    if criterion == "taylor":
        if gradients is None:
            raise ValueError("criterion 'taylor' needs gradients, and none are given")
        names = [f"{module}.weight", f"{module}.bias"] if norm else [f"{module}.weight"]
        return sum_by_channel([state[name].double() * gradients[name].double() for name in names], side).abs()
    if norm != (criterion == "batchnorm"):
        return None
    values = weight.double()
    return sum_by_channel([values.abs() if criterion in ("l1", "batchnorm") else values.square()], side)


def sum_by_channel(tensors: list[Tensor], side: Side) -> Tensor:
    """Sum over all dimensions but the channels'.

    Args:
        tensors: Tensors of a convolution, (out, in, h, w), or of a batch norm, (channels,).

    Returns:
        (channels,): those made for `out`, those read for `in`.
    """
    turned = [tensor.transpose(0, 1) if side == "in" else tensor for tensor in tensors]
    return torch.stack([tensor.reshape(len(tensor), -1).sum(1) for tensor in turned]).sum(0)


def layer_adaptive(squares: Tensor) -> Tensor:
    """Return LAMP: each channel's squared norm as a share of those of all channels that are no weaker.

    That makes layers comparable: the strongest channel of every layer scores 1. Equal channels score equally.

    Args:
        squares: (channels,), at least 0.

    Source: Lee et al., ICLR 2021 (arXiv:2010.07611), eq. 4, there for single weights.
    """
    ascending = squares.sort().values
    no_weaker = ascending.flip(0).cumsum(0).flip(0)[torch.searchsorted(ascending, squares)]
    return torch.where(squares > 0, squares / no_weaker, 0.0)
