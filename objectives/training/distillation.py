"""Knowledge distillation by Ultralytics' own wrapper, with a teacher in memory instead of a pickle."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

import spaces.offline  # noqa: F401  (before ultralytics)
from spaces.anchors.anchor_head import BOX, OBJECTNESS, is_anchor_head
from spaces.base import Candidate, CandidateError

# isort: split
from ultralytics.nn.distill_model import DistillationModel


def with_teacher(student: nn.Module, teacher: Candidate) -> nn.Module:
    """Wrap a student so that its loss also pulls its neck's features towards the teacher's.

    The widths may differ: 1x1 projections map the student's channels to the teacher's, and are removed afterwards.
    The student's `args` must be set: the image size and the weight of the loss are read from them.

    Args:
        student: Trained in place, through the wrapper.
        teacher: Not modified; a frozen copy of its network is used.

    Raises:
        CandidateError: If the two networks have different detection strides.
    """
    if strides(student) != strides(teacher.network):
        raise CandidateError(
            f"the teacher's detection strides are {strides(teacher.network)}, the student's {strides(student)}; "
            "distillation needs the same"
        )
    kind = _AnchorDistillation if is_anchor_head(student) else DistillationModel
    pair: nn.Module = kind(teacher_model=copy.deepcopy(teacher.network).float(), student_model=student)
    return pair


class _AnchorDistillation(DistillationModel):  # type: ignore[misc]  # Ultralytics has no types
    """Distillation of an original YOLOv5: at each place the teacher's best score over its anchors is the weight."""

    def decouple_outputs(self, preds: Any, branch: str = "one2one") -> Any:
        """Return features as they are; for the head's output the scores, (N, classes, places), before the sigmoid."""
        if isinstance(preds, tuple):
            preds = preds[1]
        if not isinstance(preds, list):
            return preds
        scores = []
        for raw in preds:  # (N, anchors, h, w, 5 + classes)
            likely = raw.sigmoid()
            best = (likely[..., BOX + OBJECTNESS :] * likely[..., BOX : BOX + OBJECTNESS]).amax(1)
            scores.append(torch.logit(best.permute(0, 3, 1, 2).flatten(2), eps=1e-6))
        return {"scores": torch.cat(scores, 2)}


def strides(network: nn.Module) -> tuple[int, ...]:
    """Return the strides in px of the detection levels, smallest first."""
    head = network.get_submodule("model")[-1]  # type: ignore[index]
    found = getattr(head, "stride", network.stride)  # a classifier's head has none
    return tuple(int(stride) for stride in found)  # type: ignore[union-attr]


def student_of(network: nn.Module) -> nn.Module:
    """Return the student inside the wrapper, or the network itself if there is no teacher."""
    return network.student_model if isinstance(network, DistillationModel) else network
