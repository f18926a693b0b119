"""Loss of the original YOLOv5: CIoU of boxes, objectness and classes, for anchors of about the size of an object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

import spaces.offline  # noqa: F401  (before ultralytics)

# isort: split
from ultralytics.utils.metrics import bbox_iou

BOX_GAIN, OBJECTNESS_GAIN, CLASS_GAIN = 0.05, 1.0, 0.5
"""Gains of the three terms for 3 levels, 80 classes and images of 640 px (data/hyps/hyp.scratch-low.yaml)."""
LARGEST_RATIO = 4.0
"""`anchor_t`: an anchor takes an object whose width and height are up to so many times as large or small."""
BALANCES = {3: (4.0, 1.0, 0.4)}
OTHER_BALANCES = (4.0, 1.0, 0.25, 0.06, 0.02)
"""Weights of the objectness of each level, fine levels first; they have the most cells and the fewest objects."""
ULTRALYTICS_BOX, ULTRALYTICS_CLS = 7.5, 0.5
"""Default gains of Ultralytics: a recipe that doubles one of them doubles the term here as well."""
REACH = 0.5
"""Distance in cells within which an object also belongs to the neighbouring cell."""


@dataclass(frozen=True)
class _Targets:
    """Objects of one level, one row for each pair of object and anchor.

    Attributes:
        image, anchor, row, column: Indices into the level's output.
        classes: Class numbers.
        boxes: Centre relative to the cell, width and height, in cells.
        sizes: Width and height of the anchor, in cells.
    """

    image: Tensor
    anchor: Tensor
    row: Tensor
    column: Tensor
    classes: Tensor
    boxes: Tensor
    sizes: Tensor


class AnchorLoss:
    """Criterion of a network, called as Ultralytics calls its own.

    Source: utils/loss.py, ComputeLoss, of ultralytics/yolov5 v7.0; the scaling of the gains is that of its train.py.
    """

    loss_names = ("box_loss", "obj_loss", "cls_loss")

    def __init__(self, network: Any) -> None:
        """Read head, image size and gains of a network.

        Args:
            network: An `AnchorDetectionModel`; its `args` are Ultralytics' training arguments.
        """
        self._head = network.model[-1]
        levels, classes = self._head.nl, self._head.nc
        args: Any = network.args
        imgsz = getattr(args, "imgsz", 640)
        share = 3 / levels
        self._box = BOX_GAIN * share * float(getattr(args, "box", ULTRALYTICS_BOX)) / ULTRALYTICS_BOX
        self._objectness = OBJECTNESS_GAIN * share * (imgsz / 640) ** 2
        class_gain = CLASS_GAIN * float(getattr(args, "cls", ULTRALYTICS_CLS)) / ULTRALYTICS_CLS
        self._classes = class_gain * share * classes / 80
        self._balance: Sequence[float] = BALANCES.get(levels, OTHER_BALANCES)

    def __call__(self, outputs: Any, batch: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the three terms times the number of images, (3,), and the terms by name, detached.

        Args:
            outputs: Raw outputs of the head, or the tuple that it gives in evaluation mode.
            batch: `batch_idx` (M,), `cls` (M, 1) and `bboxes` (M, 4) of M objects: centre x, centre y, width and height
                as shares of the image.
        """
        raw: Sequence[Tensor] = outputs[1] if isinstance(outputs, tuple) else outputs
        device = raw[0].device
        columns = (batch["batch_idx"].view(-1, 1), batch["cls"].view(-1, 1), batch["bboxes"])
        objects = torch.cat([column.to(device).float() for column in columns], 1)
        terms = [self._level_terms(level, index, objects) for index, level in enumerate(raw)]
        box, objectness, classes = (torch.stack(term).sum() for term in zip(*terms, strict=True))
        loss = torch.stack((box * self._box, objectness * self._objectness, classes * self._classes))
        return loss * len(raw[0]), dict(zip(self.loss_names, loss.detach(), strict=True))

    def _level_terms(self, raw: Tensor, level: int, objects: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        found = self._targets(raw, level, objects)
        wanted = torch.zeros(raw.shape[:4], dtype=raw.dtype, device=raw.device)
        box = classes = raw.sum() * 0.0  # keeps the graph where a level has no object
        if len(found.image):
            at = (found.image, found.anchor, found.row, found.column)
            xy, wh, _, scores = raw[at].tensor_split((2, 4, 5), dim=1)
            predicted = torch.cat((xy.sigmoid() * 2 - REACH, (wh.sigmoid() * 2) ** 2 * found.sizes), 1)
            iou = bbox_iou(predicted, found.boxes, CIoU=True).squeeze(-1)
            box = (1.0 - iou).mean()
            wanted[at] = iou.detach().clamp(0).type(wanted.dtype)
            if self._head.nc > 1:
                right = torch.zeros_like(scores)
                right[torch.arange(len(right)), found.classes] = 1.0
                classes = binary_cross_entropy_with_logits(scores, right)
        return box, binary_cross_entropy_with_logits(raw[..., 4], wanted) * self._balance[level], classes

    def _targets(self, raw: Tensor, level: int, objects: Tensor) -> _Targets:
        """Return the pairs of object and anchor of a level, each also in up to two neighbouring cells."""
        anchors = self._head.anchors[level].to(objects)
        height, width = raw.shape[2:4]
        scale = torch.tensor([width, height, width, height], device=raw.device, dtype=objects.dtype)
        boxes = objects[:, 2:] * scale
        ratio = boxes[None, :, 2:] / anchors[:, None]
        anchor, which = (torch.max(ratio, 1 / ratio).amax(2) < LARGEST_RATIO).nonzero(as_tuple=True)
        centre = boxes[which, :2]
        offsets, pair = _neighbours(centre, scale[:2])
        anchor, which, centre = anchor[pair], which[pair], centre[pair]
        column, row = (centre - offsets).long().T
        row, column = row.clamp(0, height - 1), column.clamp(0, width - 1)
        return _Targets(
            image=objects[which, 0].long(),
            anchor=anchor,
            row=row,
            column=column,
            classes=objects[which, 1].long(),
            boxes=torch.cat((centre - torch.stack((column, row), 1), boxes[which, 2:]), 1),
            sizes=anchors[anchor],
        )


def _neighbours(centre: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
    """Return, for each pair and each cell that it belongs to, the offset of that cell and the number of the pair.

    Args:
        centre: (P, 2), in cells.
        size: Width and height of the level, in cells.
    """
    rest = size - centre
    left, up = ((centre % 1 < REACH) & (centre > 1)).T
    right, down = ((rest % 1 < REACH) & (rest > 1)).T
    chosen = torch.stack((torch.ones_like(left), left, up, right, down))
    steps = torch.tensor([[0, 0], [1, 0], [0, 1], [-1, 0], [0, -1]], device=centre.device, dtype=centre.dtype) * REACH
    step, pair = chosen.nonzero(as_tuple=True)
    return steps[step], pair
