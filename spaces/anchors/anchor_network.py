"""Network of the original YOLOv5, built of Ultralytics' blocks, which are the same, with the anchor-based head."""

from __future__ import annotations

import copy
from typing import Any

import torch

import spaces.offline  # noqa: F401  (before ultralytics)
from spaces.anchors.anchor_head import AnchorDetect
from spaces.anchors.anchor_loss import AnchorLoss
from spaces.anchors.rows import anchors_of, without_head

# isort: split
from ultralytics.nn.tasks import BaseModel, DetectionModel, parse_model
from ultralytics.utils.torch_utils import initialize_weights

_PROBED_PX = 256
"""Side of the image with which the strides are found, as in the original."""


class AnchorDetectionModel(DetectionModel):  # type: ignore[misc]  # Ultralytics has no types
    """A `DetectionModel` with the head, and the loss, of the original YOLOv5."""

    def __init__(self, cfg: dict[str, Any], ch: int = 3, nc: int | None = None, verbose: bool = False) -> None:
        """Build the network from its YAML with fresh weights.

        Args:
            cfg: Resolved model YAML with anchors. It becomes the network's own.
            ch: Channels of an image.
            nc: Number of classes; by default the YAML's.
            verbose: True if Ultralytics prints its layers.

        Raises:
            SpaceError: If the anchors do not fit the levels of the head.
        """
        BaseModel.__init__(self)
        self.yaml = cfg
        cfg["channels"], cfg["nc"] = ch, nc or cfg["nc"]
        self.model, saved = parse_model(copy.deepcopy(without_head(cfg)), ch=ch, verbose=verbose)
        self.names = {number: str(number) for number in range(cfg["nc"])}
        self.inplace = bool(cfg.get("inplace", True))
        sources, *_ = cfg["head"][-1]
        sources = sources if isinstance(sources, list) else [sources]
        anchors = anchors_of(str(cfg.get("yaml_file", "model")), cfg)
        probe = _outputs(self.model, torch.zeros(1, ch, _PROBED_PX, _PROBED_PX))
        levels = [probe[source] for source in sources]
        head = AnchorDetect(cfg["nc"], anchors, [level.shape[1] for level in levels])
        head.i, head.f, head.type = len(self.model), sources, "AnchorDetect"
        head.np = sum(parameter.numel() for parameter in head.parameters())
        head.set_strides(torch.tensor([_PROBED_PX / level.shape[-2] for level in levels]))
        self.model.append(head)
        self.save = sorted({*saved, *(source % head.i for source in sources if source != -1)})
        self.stride = head.stride
        initialize_weights(self)
        head.bias_init()

    def init_criterion(self) -> AnchorLoss:
        """Return the loss of the original YOLOv5."""
        return AnchorLoss(self)


def _outputs(layers: Any, x: Any) -> list[Any]:
    """Return the outputs of all layers, run as Ultralytics does."""
    found: list[Any] = []
    layers.eval()  # statistics stay as they are
    with torch.no_grad():
        for layer in layers:
            if layer.f != -1:
                x = found[layer.f] if isinstance(layer.f, int) else [x if j == -1 else found[j] for j in layer.f]
            x = layer(x)
            found.append(x)
    layers.train()
    return found
