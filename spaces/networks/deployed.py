"""Deployed form of a candidate: the form that is counted, exported and timed."""

from __future__ import annotations

import copy
import math
from typing import Any

from torch import Tensor, nn

from spaces.base import Candidate, CandidateError


def deployed(candidate: Candidate) -> nn.Module:
    """Return a fused copy of the candidate's network in evaluation mode: BatchNorm folded, unused head branch removed.

    In a model with two head branches (YOLOv10, YOLO26) the branch that the network itself uses in inference stays.

    Args:
        candidate: Not modified.

    Raises:
        CandidateError: If the network cannot be fused.
    """
    return fused(candidate.network)


def fused(network: nn.Module) -> nn.Module:
    """Return a fused copy of a network that is not a candidate; see `deployed`.

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


def decoded_outputs(outputs: Any) -> list[Tensor]:
    """Return what an exported network gives: the decoded output and, of a network for masks, the prototypes.

    Args:
        outputs: What a network returns in evaluation mode; the raw outputs beside them are left out.
    """
    decoded = outputs[0] if isinstance(outputs, tuple | list) else outputs
    return list(decoded) if isinstance(decoded, tuple | list) else [decoded]


def image_side(network: nn.Module, imgsz: int) -> int:
    """Return the side of the square image that a network runs on, in px: rounded up to its stride as in Ultralytics."""
    stride = int(max(network.stride))  # type: ignore[arg-type]
    return math.ceil(imgsz / stride) * stride
