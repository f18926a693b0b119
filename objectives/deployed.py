"""The deployed form of a candidate: what cost counts, what is exported and what is timed."""

from __future__ import annotations

import copy

from torch import nn

from spaces.base import Candidate, CandidateError


def deployed(candidate: Candidate) -> nn.Module:
    """A fused copy of the candidate's network in evaluation mode: BatchNorm folded, unused head branch removed.

    Of a model with two head branches (YOLOv10, YOLO26) the branch stays that the network itself uses in inference.

    Args:
        candidate: Not modified.

    Raises:
        CandidateError: If the network cannot be fused.
    """
    network = copy.deepcopy(candidate.network).float().cpu().eval().requires_grad_(False)
    try:
        network.fuse(verbose=False)  # type: ignore[operator]
    except (RuntimeError, ValueError, TypeError, AttributeError) as error:
        raise CandidateError(f"the network cannot be fused: {error}") from error
    return network
