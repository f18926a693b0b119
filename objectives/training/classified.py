"""Results of a classifier on one split, in the form of detections: each image counts as one box around it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from objectives.data.dataset import Dataset
from objectives.data.loader import detection_dataset
from objectives.device.sharing import share_device
from spaces.base import CandidateError
from spaces.networks.deployed import decoded_outputs


def classified(
    network: Any, data: Dataset, split: str, *, imgsz: int, batch: int, device: str, loss: bool
) -> dict[str, Any]:
    """Run a classifier over a split: for each image it finds each class, with the class's probability.

    Args:
        network: A copy: it is moved to the device.
        loss: Whether the loss on the split is computed too.

    Returns:
        The fields of `Detections`.

    Raises:
        CandidateError: If an output is NaN or infinite.
    """
    images = detection_dataset(data, split, imgsz=imgsz, batch=batch, augment=None, rect=False)
    where = torch.device(f"cuda:{device}" if device.isdecimal() else device)
    network.to(device=where, memory_format=torch.channels_last)
    loader = DataLoader(images, batch_size=batch, collate_fn=images.collate_fn, generator=torch.Generator())
    found, labels, losses = [], [], []
    with torch.inference_mode():
        for each in share_device(loader, where):
            moved = {"img": each["img"].to(where), "cls": each["cls"].to(where)}
            outputs = network(moved["img"])
            found.append(decoded_outputs(outputs)[0].float().cpu())
            labels.append(each["cls"])
            if loss:
                losses.append(float(network.loss(moved, outputs)[0].sum()))
    scores, right = torch.cat(found), torch.cat(labels)
    if not torch.isfinite(scores).all():
        raise CandidateError(f"the network's output on '{split}' holds NaN or infinite values")
    ranked = scores.argsort(1, descending=True)
    top = [float((ranked[:, :count] == right[:, None]).any(1).float().mean()) for count in (1, 5)]
    count, classes = scores.shape
    predicted = torch.arange(classes).expand(count, classes)
    matched = (predicted == right[:, None]).reshape(-1, 1).expand(-1, 11)
    return {
        "images": count,
        "matched": matched.numpy().copy(),
        "confidence": scores.reshape(-1).numpy().astype(np.float64),
        "predicted": predicted.reshape(-1).numpy().astype(np.float64),
        "labelled": right.numpy().astype(np.float64),
        "loss": sum(losses) / len(losses) if losses else math.nan,
        "top": (top[0], top[1]),
    }
