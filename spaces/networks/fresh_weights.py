"""Fresh weights for a cut network, drawn for the widths that it has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from spaces.structure.repeats import Detector


def initialise(network: Detector, layers: Sequence[int], seed: int) -> None:
    """Draw new weights for these top-level layers, in place, as Ultralytics does for a new network.

    Equal for equal seeds. Weights that are never trained (the DFL convolution's) stay as they are.
    """
    if not layers:
        return
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for index in layers:
            _reset(network.model[index])
    head = network.model[-1]
    if len(network.model) - 1 in layers and hasattr(head, "bias_init"):
        head.bias_init()


def _reset(layer: nn.Module) -> None:
    for module in layer.modules():
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d | nn.Linear) and module.weight.requires_grad:
            module.reset_parameters()
    for module in layer.modules():
        own: Any = getattr(module, "_init_weights", None)
        if own is not None:  # attention blocks of YOLO12 draw theirs differently
            module.apply(own)
