"""Re-estimates BatchNorm statistics: after a cut they describe a network that no longer exists.

Source: Li et al., EagleEye: Fast Sub-net Evaluation for Efficient Neural Network Pruning, ECCV 2020.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from objectives.data import Dataset
from objectives.loader import detection_dataset
from objectives.turns import in_turns
from spaces.base import Candidate, CandidateError


def reestimate(
    candidate: Candidate, data: Dataset, *, imgsz: int, batches: int, batch: int, device: str = "cpu"
) -> Candidate:
    """Replace running means and variances by their plain average over training images; no gradients, no training.

    Deterministic: the images are taken at even steps through the training split and are not augmented.

    Args:
        candidate: Not modified.
        data: Its `train` split is read.
        imgsz: Image size in px, square.
        batches: How many batches are averaged; fewer where the split is smaller.
        batch: Images per batch, at least 2 (a variance needs them).

    Raises:
        CandidateError: If the statistics come out infinite or NaN.
    """
    if batch < 2 or batches < 1:
        raise ValueError(f"batches is {batches} and batch {batch}; BatchNorm needs at least 1 batch of 2 images")
    network = copy.deepcopy(candidate.network).float().to(device).train()
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a cumulative average: every batch counts the same
    with torch.inference_mode():
        for images in in_turns(_image_batches(data, imgsz, batches, batch), device):
            network(images.to(device))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        if not all(torch.isfinite(buffer).all() for buffer in norm.buffers()):
            raise CandidateError("BatchNorm statistics are not finite: the network's activations overflow")
    return dataclasses.replace(candidate, network=network.eval().cpu())


def _image_batches(data: Dataset, imgsz: int, batches: int, batch: int) -> Iterator[torch.Tensor]:
    """Letterboxed training images, each `(batch, 3, imgsz, imgsz)`, float32 in [0, 1]."""
    images = detection_dataset(data, "train", imgsz=imgsz, batch=batch, augment=None, rect=False)
    wanted = min(batches * batch, len(images))
    numbers = np.linspace(0, len(images) - 1, wanted).round().astype(int)
    for start in range(0, wanted, batch):
        chunk = numbers[start : start + batch]
        if len(chunk) > 1:
            yield torch.stack([images[int(number)]["img"] for number in chunk]).float() / 255
