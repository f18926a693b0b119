"""Deployed form of a candidate: the form that is counted, exported and timed."""

from __future__ import annotations

import copy
import math

from torch import nn

from spaces.base import Candidate, CandidateError


def deployed(candidate: Candidate) -> nn.Module:
    """Return a fused copy of the candidate's network in evaluation mode: BatchNorm folded, unused head branch removed.

    Of a model with two head branches (YOLOv10, YOLO26) the branch stays that the network itself uses in inference.

    Args:
        candidate: Not modified.

    Raises:
        CandidateError: If the network cannot be fused.
    """
    return fused(candidate.network)


def fused(network: nn.Module) -> nn.Module:
    """Return the same of a bare network.

    Args:
        network: Not modified.

    Raises:
        CandidateError: If the network cannot be fused.
    """
    network = copy.deepcopy(network).float().cpu().eval().requires_grad_(False)
    try:
        network.fuse(verbose=False)  # type: ignore[operator]
    except (RuntimeError, ValueError, TypeError, AttributeError) as error:
        raise CandidateError(f"the network cannot be fused: {error}") from error
    return network


def image_side(network: nn.Module, imgsz: int) -> int:
    """Return side of the square image, in px, that a network runs on: rounded up to its stride, as Ultralytics does."""
    stride = int(max(network.stride))  # type: ignore[arg-type]
    return math.ceil(imgsz / stride) * stride
