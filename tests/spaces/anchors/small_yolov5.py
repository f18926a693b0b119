"""A small YOLOv5 whose weights, images and objects follow from formulas, and what the original computes with them.

`python -m tests.spaces.anchors.small_yolov5` writes `original_outputs.json`, with the original code: the package
`yolov5` 7.0.14 of PyPI, which needs some twenty further packages and is therefore no dependency of the tests.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spaces.anchors.rows import stock_model

STORED = Path(__file__).with_name("original_outputs.json")
CLASSES, PX = 3, 64
MODEL = {**(stock_model("yolov5n-original") or {}), "width_multiple": 0.125, "nc": CLASSES}


def fill(network: Any) -> None:
    """Set all weights and statistics by a formula, in place."""
    state = network.state_dict()
    for number, (name, tensor) in enumerate(sorted(state.items())):
        if not tensor.is_floating_point() or name.endswith("anchors"):
            continue
        wave = torch.sin(torch.arange(tensor.numel(), dtype=torch.float64) * 0.7 + 3 * number).view(tensor.shape)
        if name.endswith(("bn.weight", "running_var")):
            wave = 1 + 0.3 * wave
        elif tensor.ndim == 4:
            wave = wave * math.sqrt(3 / tensor[0].numel())
        tensor.copy_(wave)


def images() -> Tensor:
    """Two images, (2, 3, 64, 64), float64."""
    return 0.5 + 0.5 * torch.sin(torch.arange(2 * 3 * PX * PX, dtype=torch.float64) * 0.013).view(2, 3, PX, PX)


def objects() -> Tensor:
    """Image, class, centre x, centre y, width and height (shares) of five objects; one of no level's size."""
    rows = [
        [0, 0, 0.31, 0.42, 0.3, 0.4], [0, 2, 0.74, 0.66, 0.15, 0.2], [1, 1, 0.5, 0.5, 0.9, 0.8],
        [1, 2, 0.05, 0.97, 0.1, 0.06], [1, 0, 0.999, 0.001, 0.01, 0.9],
    ]  # fmt: skip
    return torch.tensor(rows, dtype=torch.float64)


def _write() -> None:
    from yolov5.models.yolo import DetectionModel
    from yolov5.utils.loss import ComputeLoss

    network = DetectionModel(json.loads(json.dumps(MODEL)), nc=CLASSES)
    network.double()
    fill(network)
    # What train.py makes of hyp.scratch-low.yaml for these levels, classes and this image size.
    network.hyp = {
        "box": 0.05, "cls": 0.5 * CLASSES / 80, "obj": (PX / 640) ** 2, "cls_pw": 1.0, "obj_pw": 1.0, "fl_gamma": 0.0,
        "anchor_t": 4.0, "label_smoothing": 0.0,
    }  # fmt: skip
    with torch.no_grad():
        decoded, _ = network.eval()(images())
    for module in network.modules():
        module.training = False
    network.model[-1].training = True  # raw outputs, with frozen statistics
    torch.set_default_dtype(torch.float64)
    loss, terms = ComputeLoss(network)(network(images()), objects())
    loss.backward()
    gradients = {name: float(each.grad.norm()) for name, each in network.named_parameters()}
    stored = {"decoded": decoded.flatten()[::7].tolist(), "terms": terms.tolist(), "gradients": gradients}
    STORED.write_text(json.dumps(stored) + "\n", encoding="utf-8")


if __name__ == "__main__":
    _write()
