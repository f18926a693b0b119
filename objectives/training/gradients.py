"""Gradients of the detection loss on training images, for importance criteria that estimate a channel's value.

Batch norms use their running statistics, for two reasons. A channel is cut from the deployed network, whose statistics
are frozen. And with statistics of the batch the loss would hardly depend on the scale of the weights that compute a
channel, because a batch norm follows: the sum of w * dL/dw, which `taylor` uses, would be near 0 for every channel.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from objectives.data.dataset import Dataset
from objectives.data.loader import detection_dataset, in_unit_range
from objectives.device.sharing import share_device
from spaces.base import Candidate, CandidateError


def gradients(
    candidate: Candidate, data: Dataset, *, imgsz: int, batches: int = 1, batch: int = 16, device: str = "cpu"
) -> dict[str, Tensor]:
    """Return the gradient of the loss (all terms, per image) by parameter name, mean over batches.

    The result is deterministic: the images are taken at even steps through the training split and are not augmented. A
    few batches are enough, and more are not better: over all its data a trained network's gradient is near zero.
    But a level to which no object of these images is assigned has gradients of 0 in its box branch.

    Args:
        candidate: Not modified. Its BatchNorm statistics must fit its weights: after a cut, re-estimate them first.
        data: Its `train` split is read.
        imgsz: Image size in px, square.
        batches: Number of batches; fewer if the split is smaller.
        batch: Number of images per batch.

    Returns:
        One tensor for each parameter, of its shape, float32, on the CPU; zeros if the loss does not depend on it
        (DFL's fixed weights).

    Raises:
        CandidateError: If a gradient is infinite or NaN.
    """
    if batch < 1 or batches < 1:
        raise ValueError(f"batches is {batches} and batch {batch}; at least 1 of each is needed")
    network = _frozen_statistics(candidate).to(device)
    parameters = dict(network.named_parameters())
    sums = {name: torch.zeros_like(parameter) for name, parameter in parameters.items()}
    count = 0
    for images in share_device(labelled_batches(data, imgsz, batches, batch, device), device):
        loss = network.loss(images)[0].sum() / len(images["img"])  # Ultralytics multiplies by the batch
        found = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
        for name, gradient in zip(parameters, found, strict=True):
            if gradient is not None:
                sums[name] += gradient
        count += 1
    means = {name: (total / count).cpu() for name, total in sums.items()}
    for name, mean in means.items():
        if not torch.isfinite(mean).all():
            raise CandidateError(f"the loss's gradient of '{name}' is not finite")
    return means


def _frozen_statistics(candidate: Candidate) -> Any:
    """Return a copy that computes its loss as in training, but with frozen BatchNorm statistics."""
    network: Any = copy.deepcopy(candidate.network).float().requires_grad_(True).train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    return network


def labelled_batches(data: Dataset, imgsz: int, batches: int, batch: int, device: str) -> Iterator[dict[str, Any]]:
    """Yield letterboxed training images `(batch, 3, imgsz, imgsz)`, float32 in [0, 1], with their labels."""
    images = detection_dataset(data, "train", imgsz=imgsz, batch=batch, augment=None, rect=False)
    numbers = np.linspace(0, len(images) - 1, min(batches * batch, len(images))).round().astype(int)
    for start in range(0, len(numbers), batch):
        made = images.collate_fn([images[int(number)] for number in numbers[start : start + batch]])
        moved = {name: value.to(device) if isinstance(value, Tensor) else value for name, value in made.items()}
        yield {**moved, "img": in_unit_range(moved["img"])}
