"""Non-maximum suppression at the end of an ONNX file, with the same work for every network.

Latency is measured before a network is trained, so it must not depend on the weights. So the suppressed boxes and
scores are not the network's own, but those of one typical picture.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spaces.base import CandidateError

CONFIDENCE, IOU, MOST = 0.25, 0.7, 300
"""Defaults of Ultralytics' prediction: `conf`, `iou` and `max_det` (here for each class).

Source: https://docs.ultralytics.com/modes/predict/#inference-arguments.
"""
OBJECTS, BOXES_EACH = 10, 12
"""Number of objects in the picture, and of boxes for each: a trained detector finds an object at about 12 anchors."""
BACKGROUND = 0.01  # score of all other anchors
SELECTED = "selected"
"""Name of the output of NMS."""


def add_suppression(model: Path, classes: int) -> Path:
    """Add NonMaxSuppression to an ONNX file: a second output, `selected` (S, 3) of image, class, anchor; int64.

    Its input is `output0` x 0 + the picture. No engine may simplify that, because it is not true for infinite numbers.

    Args:
        model: File from `export_onnx`, in any precision; rewritten in place.

    Raises:
        CandidateError: If the output is neither (N, 4 + classes, anchors) nor that of an original YOLOv5, (N, boxes,
            5 + classes); that of end-to-end models is not.
    """
    import onnx
    from onnx import helper, numpy_helper

    network = onnx.load(str(model))
    output = network.graph.output[0]
    batch, rows, anchors = (axis.dim_value for axis in output.type.tensor_type.shape.dim)
    original = rows != 4 + classes and anchors == 5 + classes
    if original:
        anchors = rows
    elif rows != 4 + classes:
        shape = f"({batch}, {rows}, {anchors})"
        raise CandidateError(f"its output is {shape}, not (N, {4 + classes}, anchors): there is nothing to suppress")
    side = network.graph.input[0].type.tensor_type.shape.dim[-1].dim_value
    seen = picture(classes, anchors, side)[None]
    constants = {
        "zero": np.float32(0),
        "picture": _with_objectness(seen) if original else seen,
        "parts": np.array([4, 1, classes] if original else [4, classes], np.int64),
        "most": np.array([MOST], np.int64),
        "iou": np.array([IOU], np.float32),
        "confidence": np.array([CONFIDENCE], np.float32),
    }
    ours = "suppression/{}".format
    for name, value in constants.items():
        network.graph.initializer.append(numpy_helper.from_array(np.asarray(value), ours(name)))
    thresholds = [ours("most"), ours("iou"), ours("confidence")]
    network.graph.node.extend(
        [
            helper.make_node("Mul", [output.name, ours("zero")], [ours("nothing")]),
            helper.make_node("Add", [ours("nothing"), ours("picture")], [ours("seen")]),
            *(_parts_of_original(ours) if original else _parts(ours)),
            helper.make_node(
                "NonMaxSuppression", [ours("boxes"), ours("scores"), *thresholds], [SELECTED], center_point_box=1
            ),
        ]
    )
    network.graph.output.append(helper.make_tensor_value_info(SELECTED, onnx.TensorProto.INT64, [None, 3]))
    onnx.save(network, str(model))
    return model


def _parts(ours: Callable[[str], str]) -> list[Any]:
    """Return the nodes that divide an output into boxes (N, anchors, 4) and scores (N, classes, anchors)."""
    from onnx import helper

    return [
        helper.make_node("Split", [ours("seen"), ours("parts")], [ours("rows"), ours("scores")], axis=1),
        helper.make_node("Transpose", [ours("rows")], [ours("boxes")], perm=[0, 2, 1]),
    ]


def _parts_of_original(ours: Callable[[str], str]) -> list[Any]:
    """Return the same for an original YOLOv5, whose scores are those of the classes times the objectness."""
    from onnx import helper

    parts = [ours("boxes"), ours("objectness"), ours("classes")]
    return [
        helper.make_node("Split", [ours("seen"), ours("parts")], parts, axis=2),
        helper.make_node("Mul", parts[1:], [ours("columns")]),
        helper.make_node("Transpose", [ours("columns")], [ours("scores")], perm=[0, 2, 1]),
    ]


def _with_objectness(seen: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a picture (N, 4 + classes, anchors) as an original YOLOv5 gives it, with an objectness of 1."""
    ones = np.ones_like(seen[:, :1])
    return np.ascontiguousarray(np.concatenate([seen[:, :4], ones, seen[:, 4:]], axis=1).transpose(0, 2, 1))


def picture(classes: int, anchors: int, side: int) -> NDArray[np.float32]:
    """Return a detector's output for a picture with some objects: (4 + classes, anchors), like `output0` of one image.

    Each object is detected at several anchors; most of its boxes overlap by more than `IOU`.

    Args:
        side: Side of the image in px.
    """
    random = np.random.default_rng(0)
    objects = np.concatenate([random.uniform(0.2, 0.8, (OBJECTS, 2)), random.uniform(0.1, 0.4, (OBJECTS, 2))], axis=1)
    count = min(OBJECTS * BOXES_EACH, anchors)
    at = np.linspace(0, anchors - 1, count).astype(int)
    which = np.arange(count) % OBJECTS
    size = objects[which, 2:]
    centres = objects[which, :2] + size * random.normal(0, 0.05, (count, 2))
    output = np.zeros((4 + classes, anchors), np.float32)
    output[4:] = BACKGROUND
    output[:2, at] = side * centres.T
    output[2:4, at] = side * (size * np.exp(random.normal(0, 0.08, (count, 2)))).T
    output[4 + which % classes, at] = random.uniform(CONFIDENCE + 0.01, 0.95, count)
    return output
