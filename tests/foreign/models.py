"""Models and architectures with a fault, as plain values."""

from __future__ import annotations

import json
from typing import Any

from tests.foreign.texts import ESCAPE, Content


def small_model(**changes: Any) -> dict[str, Any]:
    """Return the YAML of the smallest detector, with changes."""
    rows = {
        "nc": 1,
        "backbone": [[-1, 1, "Conv", [16, 3, 2]], [-1, 1, "Conv", [32, 3, 2]], [-1, 1, "C2f", [32, True]]],
        "head": [[[2], 1, "Detect", ["nc"]]],
    }
    return {**rows, **changes}


def _row(*row: Any) -> dict[str, Any]:
    return small_model(backbone=[list(row), *small_model()["backbone"]])


MODELS: dict[str, dict[str, Any]] = {
    "no head": {"nc": 1, "backbone": []},
    "backbone is a text": small_model(backbone="x"),
    "rows are numbers": small_model(backbone=[1, 2]),
    "a row of three": _row(-1, 1, "Conv"),
    "a module that is no text": _row(-1, 1, ["Conv"], [16]),
    "a module with escape codes": _row(-1, 1, ESCAPE, []),
    "a module that is a function": _row(-1, 1, "torch_safe_load", ["x.pt"]),
    "a module that loads": _row(-1, 1, "nn.Module.load_state_dict", []),
    "a module that is code": _row(-1, 1, "__import__('os').system('touch owned')", []),
    "an activation that is code": small_model(activation="__import__('os').system('touch owned')"),
    "an activation that is a list": small_model(activation=[1]),
    "an argument that is code": _row(-1, 1, "Conv", ["__import__('os').system('touch owned')"]),
    "an argument that is no literal": _row(-1, 1, "Conv", ["((((" * 400]),
    "an argument that is deep": _row(
        -1, 1, "Conv", [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]
    ),
    "a billion channels": _row(-1, 1, "Conv", [10**9, 3, 2]),
    "channels below zero": _row(-1, 1, "Conv", [-16, 3, 2]),
    "no channels": _row(-1, 1, "Conv", [0, 3, 2]),
    "a kernel of zero": _row(-1, 1, "Conv", [16, 0, 2]),
    "a stride of zero": _row(-1, 1, "Conv", [16, 3, 0]),
    "a large upsampling": _row(-1, 1, "nn.Upsample", [None, 4000, "nearest"]),
    "wide layers": small_model(backbone=[[-1, 1, "Conv", [8192, 3, 1]]] * 60),
    "a million repeats": _row(-1, 10**6, "Conv", [16, 3, 1]),
    "repeats below zero": _row(-1, -5, "Conv", [16, 3, 1]),
    "repeats that are a text": _row(-1, "2", "Conv", [16, 3, 1]),
    "a source that is a text": _row("-1", 1, "Conv", [16, 3, 1]),
    "a source far away": _row(99, 1, "Conv", [16, 3, 1]),
    "a source far back": _row(-99, 1, "Conv", [16, 3, 1]),
    "sources that are none": _row([], 1, "Concat", [1]),
    "a thousand rows": small_model(backbone=[[-1, 1, "Conv", [16, 3, 1]]] * 1000),
    "scales that are a list": small_model(scales=[1, 2]),
    "a scale of texts": small_model(scales={"n": ["a", "b", "c"]}),
    "a scale of nothing": small_model(scales={"n": [0, 0, 0]}),
    "a scale without end": small_model(scales={"n": [1e300, 1e300, 1e300]}),
    "a scale that is not there": small_model(scales={"n": [1, 1, 64]}, scale={"a": 1}),
    "a scale with escape codes": small_model(scales={ESCAPE: [1, 1, 64]}, scale="x"),
    "a depth that is a text": small_model(depth_multiple="x"),
    "channels of an image": small_model(channels=[3]),
    "reg_max of a million": small_model(reg_max=10**6),
    "reg_max that is a text": small_model(reg_max="x"),
    "weights from the network": _row(-1, 1, "TorchVision", [16, "resnet18", "DEFAULT"]),
    "a name that is a list": small_model(yaml_file=[1]),
    "a value that is deep": small_model(extra=json.loads("[" * 60 + "]" * 60)),
    "many values": small_model(extra=list(range(60_000))),
}

SET_BY_NAME = ("a scale that is not there", "a scale with escape codes", "a name that is a list")
"""Faults that a YAML file cannot have: its name decides."""

ARCHITECTURES: dict[str, Content] = {
    "no model": {"classes": 1},
    "no classes": {"model": "yolov8n.yaml"},
    "classes below one": {"model": "yolov8n.yaml", "classes": 0},
    "a billion classes": {"model": "yolov8n.yaml", "classes": 10**9},
    "classes that are true": {"model": "yolov8n.yaml", "classes": True},
    "classes that are numbers": {"model": "yolov8n.yaml", "classes": [1, 2]},
    "a model that is a number": {"model": 3, "classes": 1},
    "a model with escape codes": {"model": ESCAPE, "classes": 1},
    "a model of null bytes": {"model": "\0", "classes": 1},
    "a model that is a path": {"model": "../../../../etc/passwd", "classes": 1},
    "a model of a megabyte": {"model": "a" * 2**20, "classes": 1},
    "a model with stars": {"model": "**/*", "classes": 1},
    "an image of no size": {"model": "yolov8n.yaml", "classes": 1, "imgsz": -1},
    "an image size that is a text": {"model": "yolov8n.yaml", "classes": 1, "imgsz": "x"},
    "kept is a list": {"model": "yolov8n.yaml", "classes": 1, "kept": [1]},
    "kept of no group": {"model": "yolov8n.yaml", "classes": 1, "kept": {ESCAPE: 1}},
    "kept below zero": {"model": "yolov8n.yaml", "classes": 1, "kept": {"model.1": -3}},
    "kept above the width": {"model": "yolov8n.yaml", "classes": 1, "kept": {"model.1": 10**6}},
    "kept of no channel": {"model": "yolov8n.yaml", "classes": 1, "kept": {"model.1": [10**6]}},
    "kept twice": {"model": "yolov8n.yaml", "classes": 1, "kept": {"model.1": [1, 1]}},
    "kept of texts": {"model": "yolov8n.yaml", "classes": 1, "kept": {"model.1": ["a"]}},
    "dropped is a number": {"model": "yolov8n.yaml", "classes": 1, "dropped": 5},
    "dropped of no bottleneck": {"model": "yolov8n.yaml", "classes": 1, "dropped": [ESCAPE]},
    "a spec without groups": {"model": "yolov8n.yaml", "classes": 1, "spec": {"groups": {"a": 1}}},
}
