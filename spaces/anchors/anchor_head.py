"""Detect head of the original YOLOv5: one 1x1 convolution for each level, and boxes relative to anchors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

import spaces.offline  # noqa: F401  (before ultralytics)

# isort: split
from ultralytics.nn.modules.head import Detect

BOX, OBJECTNESS = 4, 1
"""Outputs of each anchor before those of the classes."""


class AnchorDetect(Detect):  # type: ignore[misc]  # Ultralytics has no types
    """Anchor-based head. It is a `Detect`, so that Ultralytics' exporter and trainer know it as a head.

    Its tensors are named as in the original: `anchors`, in units of the level's stride, and `m.0.weight` and so on.

    Source: models/yolo.py, Detect, of ultralytics/yolov5 v7.0.
    """

    def __init__(self, nc: int, anchors: Sequence[Sequence[float]], ch: Sequence[int]) -> None:
        """Build the head.

        Args:
            nc: Number of classes.
            anchors: For each level widths and heights in px, in turn; `set_strides` divides them by the stride.
            ch: Channels that each level reads.
        """
        nn.Module.__init__(self)
        self.nc, self.nl, self.na = nc, len(anchors), len(anchors[0]) // 2
        self.no = nc + BOX + OBJECTNESS
        self.stride = torch.zeros(self.nl)
        self._buffers["anchors"] = torch.tensor(anchors).float().view(self.nl, -1, 2)
        self.m = nn.ModuleList(nn.Conv2d(channels, self.no * self.na, 1) for channels in ch)

    # Ultralytics asks each head for these.
    cv2 = cv3 = None
    end2end = False

    @property
    def anchors(self) -> Tensor:
        """Widths and heights of the anchors, (levels, anchors, 2), in units of the level's stride: a buffer.

        A property, because an attribute of Ultralytics' class would hide the buffer.
        """
        found = self._buffers["anchors"]
        return torch.empty(0) if found is None else found

    def set_strides(self, strides: Tensor) -> None:
        """Take the strides, bring the anchors into their units, and into the order of the levels."""
        self.stride = strides
        self.anchors.div_(strides.view(-1, 1, 1))
        areas = self.anchors.prod(-1).mean(-1)
        growth = areas[-1] - areas[0]
        if growth and growth.sign() != (strides[-1] - strides[0]).sign():
            self.anchors[:] = self.anchors.flip(0)

    def forward(self, x: list[Tensor]) -> Any:
        """Run the head.

        Args:
            x: One tensor (N, channels, h, w) for each level. Not modified.

        Returns:
            In training the raw outputs, (N, anchors, h, w, 5 + classes) for each level. Otherwise a tuple of the
            decoded output (N, boxes, 5 + classes) and the raw outputs; in export the decoded output alone. Decoded are
            centre x, centre y, width, height in px, then objectness and the scores of the classes in [0, 1].
        """
        raw = [self._by_anchor(convolution(level)) for convolution, level in zip(self.m, x, strict=True)]
        if self.training:
            return raw
        decoded = torch.cat([self._decoded(level, index) for index, level in enumerate(raw)], 1)
        return decoded if self.export else (decoded, raw)

    def _by_anchor(self, output: Tensor) -> Tensor:
        count, _, height, width = output.shape
        return output.view(count, self.na, self.no, height, width).permute(0, 1, 3, 4, 2).contiguous()

    def _decoded(self, raw: Tensor, level: int) -> Tensor:
        count, _, height, width, _ = raw.shape
        grid, sizes = self._grid(int(height), int(width), level)
        scaled = raw.sigmoid()
        xy, wh, scores = scaled[..., :2], scaled[..., 2:BOX], scaled[..., BOX:]
        xy = (xy * 2 + grid) * self.stride[level]
        wh = (wh * 2) ** 2 * sizes
        return torch.cat((xy, wh, scores), 4).view(count, self.na * int(height) * int(width), self.no)

    def _grid(self, height: int, width: int, level: int) -> tuple[Tensor, Tensor]:
        """Return positions of the cells, (1, 1, h, w, 2), and sizes of the anchors in px, (1, anchors, 1, 1, 2)."""
        anchors = self.anchors[level]
        rows, columns = (torch.arange(size, device=anchors.device, dtype=anchors.dtype) for size in (height, width))
        grid = torch.stack((columns.view(1, -1).expand(height, width), rows.view(-1, 1).expand(height, width)), 2).view(
            1, 1, height, width, 2
        )
        return grid - 0.5, (anchors * self.stride[level]).view(1, self.na, 1, 1, 2)

    def bias_init(self) -> None:
        """Set fresh biases to what objects and classes are rare as at first.

        Source: models/yolo.py, DetectionModel._initialize_biases: 8 objects in an image of 640 px.
        """
        for convolution, stride in zip(self.m, self.stride, strict=True):
            own: Any = convolution.bias
            bias = own.detach().view(self.na, -1)
            bias[:, BOX] += math.log(8 / (640 / float(stride)) ** 2)
            bias[:, BOX + OBJECTNESS :] += math.log(0.6 / (self.nc - 0.99999))

    def fuse(self) -> None:
        """Do nothing: there is no second branch."""


def is_anchor_head(network: Any) -> bool:
    """Return whether a network, or the student inside a wrapper, has the head of the original YOLOv5."""
    return any(isinstance(module, AnchorDetect) for module in network.modules())


def class_scores(decoded: Tensor) -> Tensor:
    """Return decoded outputs (N, boxes, 5 + classes) in Ultralytics' layout, (N, 4 + classes, boxes).

    The score of a class is its own times the objectness, as the original's non-maximum suppression takes it.
    """
    first = BOX + OBJECTNESS
    boxes, objectness, classes = decoded[..., :BOX], decoded[..., BOX:first], decoded[..., first:]
    return torch.cat((boxes, classes * objectness), 2).transpose(1, 2)
