"""Every family of stock detectors and every size of it is cut exactly; parts that cannot be cut are named."""

from __future__ import annotations

from typing import Any

import pytest

from spaces.base import SpaceError
from spaces.networks.parent import Parent
from spaces.structure import stock
from tests.spaces.silencing import TOLERANCE, differences, random_spec, rolled, unread
from tests.spaces.trained_look import make_look_trained

GROUPS = {
    "yolov5n": 62,
    "yolov5s": 62,
    "yolov5m": 77,
    "yolov8n": 59,
    "yolov8s": 59,
    "yolov8m": 73,
    "yolov9t": 145,
    "yolov9s": 145,
    "yolov9m": 125,
    "yolov10n": 72,
    "yolov10s": 72,
    "yolov10m": 83,
    "yolo11n": 67,
    "yolo11s": 67,
    "yolo11m": 87,
    "yolo12n": 68,
    "yolo12s": 68,
    "yolo12m": 76,
    "yolo26n": 85,
    "yolo26s": 85,
    "yolo26m": 93,
}


def _trained_looking(model: Any) -> Parent:
    parent = Parent.load(model, classes=3, imgsz=64)
    make_look_trained(parent.network, seed=0)
    return parent


def _is_cut_exactly(parent: Parent, **how: Any) -> None:
    spec = random_spec(parent, 0.6, seed=3)
    right, wrong = differences(parent, spec, spec, rolled(spec), **how)
    assert right < TOLERANCE
    assert wrong > 1e-2  # a real fault is hundreds of times the tolerance


@pytest.mark.slow
@pytest.mark.parametrize("model", GROUPS)
def test_each_size_of_each_family_is_cut_exactly(model: str) -> None:
    parent = _trained_looking(f"{model}.yaml")
    assert len({group.name for group in parent.groups}) == len(parent.groups) == GROUPS[model]
    assert parent.structure.unknown_operations == ()
    _is_cut_exactly(parent)


@pytest.mark.parametrize(
    "model",
    [
        "yolov8n-p2",
        "yolov8n-p6",
        "yolov5n-p6",
        "yolov6n",
        "yolov3-tiny",
        "yolov8n-ghost",
        "yolov8n-ghost-p6",
        "yolo26n-p2",
        "yolo26n-p6",
    ],
)
def test_similar_models_with_a_detect_head_are_cut_exactly(model: str) -> None:
    _is_cut_exactly(_trained_looking(f"{model}.yaml"))


def test_transposed_convolutions_keep_channels_whole_and_are_named() -> None:
    parent = Parent.load("yolov6n.yaml", classes=3)
    assert parent.structure.unknown_operations == tuple(f"transposed convolution in model.{n}" for n in (11, 16))


@pytest.mark.parametrize("family", ["yolov5n", "yolov8n", "yolov10n", "yolo11n", "yolo26n"])
def test_any_scale_is_cut_exactly(family: str) -> None:
    model = stock.resolve(f"{family}.yaml", 3)
    odd = {**model, "scales": {"odd": [0.7, 0.137, 300]}, "scale": "odd"}  # widths 16, 24, 40; no powers of two
    parent = _trained_looking(odd)
    assert max(group.width for group in parent.groups) < 100
    _is_cut_exactly(parent)


@pytest.mark.parametrize(
    "change", [{"activation": "nn.ReLU()"}, {"end2end": True}, {"reg_max": 1}, {"class_width": 80}]
)
def test_a_detector_changed_in_its_model_yaml_is_cut_exactly(change: dict[str, Any]) -> None:
    parent = _trained_looking({**stock.resolve("yolov8n.yaml", 3), **change})
    assert len(parent.groups) == (71 if "end2end" in change else 59)
    _is_cut_exactly(parent)


def _around(*rows: list[Any]) -> dict[str, Any]:
    """A small detector that contains these layers."""
    last = 2 + len(rows)
    backbone = [[-1, 1, "Conv", [16, 3, 2]], [-1, 1, "Conv", [64, 3, 4]], *rows, [-1, 1, "Conv", [24, 3, 2]]]
    return {"yaml_file": "small.yaml", "nc": 3, "backbone": backbone, "head": [[[last], 1, "Detect", ["nc"]]]}


@pytest.mark.parametrize(
    "row",
    [
        [-1, 2, "C1", [32]],
        [-1, 2, "C2", [32]],
        [-1, 2, "C3x", [32]],
        [-1, 2, "C3TR", [64]],
        [-1, 2, "RepC3", [32]],
        [-1, 2, "BottleneckCSP", [32]],
        [-1, 1, "SPP", [32]],
        [-1, 1, "SPPELAN", [32, 16]],
        [-1, 1, "Focus", [32, 3]],
        [-1, 1, "GhostBottleneck", [32, 3, 2]],
        [-1, 2, "HGBlock", [16, 32, 3, True, True]],
        [-1, 1, "ResNetLayer", [64, 16, 2, False, 2]],
        [-1, 1, "C2fPSA", [64]],
        [-1, 1, "AIFI", [64, 4]],
        [-1, 1, "A2C2f", [64, True, 1, True]],
        [-1, 1, "Conv", [64, 3, 1, None, 8]],
        [-1, 1, "ConvTranspose", [32]],
        [-1, 1, "nn.Conv2d", [64, 64, 1]],
        [-1, 1, "nn.BatchNorm2d", []],
        [-1, 1, "nn.GroupNorm", [4, 64]],
        [-1, 1, "nn.Sigmoid", []],
        [-1, 1, "nn.ChannelShuffle", [4]],
        [-1, 1, "nn.ZeroPad3d", [[0, 0, 0, 0, 1, -1]]],
    ],
    ids=lambda row: str(row[2]),
)
def test_a_block_of_another_model_is_cut_exactly_or_kept_whole(row: list[Any]) -> None:
    parent = _trained_looking(_around(row))
    _is_cut_exactly(parent, by=unread)
    _is_cut_exactly(parent, by=unread, train=True)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (
            "yolo26n-depth.yaml",
            "layer model.23 is Depth; heads that can be cut are Detect, Segment, Pose, OBB and Classify",
        ),
        ("yolo26n-sem.yaml", "layer model.17 is SemanticSegment"),
        ("yolov8n-world.yaml", "layer model.23 is WorldDetect"),
        ("yoloe-11n.yaml", "layer model.23 is YOLOEDetect"),
        ("rtdetr-l.yaml", "layer model.28 is RTDETRDecoder"),
        ("yolo11-cls-resnet18.yaml", r"layer model.0 \(TorchVision\) would download weights"),
    ],
)
def test_a_model_that_cannot_be_cut_is_named(model: str, reason: str) -> None:
    with pytest.raises(SpaceError, match=f"model '{model}': {reason}"):
        Parent.load(model, classes=3)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ([-1, 1, "nn.Unflatten", [1, [64]]], r"layer model.2 \(Unflatten\) cannot be cut"),
        ([-1, 1, "C2PSA", [48]], r"cannot be built: layer model.2 \(C2PSA\): AssertionError"),
        ([-1, 1, "CBAM", [32]], r"cannot be built: layer model.2 \(CBAM\): unknown name 'CBAM'"),
        ([-1, 1, "nn.LayerNorm", [5]], r"cannot be built: layer model.2 \(LayerNorm\): Given normalized_shape"),
        ([-1, "Conv", [32]], r"layer 2 is \[-1, 'Conv', \[32\]\]; \[from, repeats, module, \[arguments\]\] is right"),
    ],
)
def test_a_block_that_cannot_be_cut_or_built_is_named(row: list[Any], reason: str) -> None:
    with pytest.raises(SpaceError, match=f"model 'small.yaml'.*{reason}"):
        Parent.load(_around(row), classes=3)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"head": []}, r"layer model.3 is Conv; heads that can be cut are Detect"),
        ({"head": 3}, "has no 'head'"),
        ({"scales": {"n": 3}}, r"scales are {'n': 3}; right is {name: \[depth, width, max channels\]}"),
        ({"scales": {"n": [1, 1, 512]}, "scale": "q"}, "has no scale 'q'; it has n"),
    ],
)
def test_a_model_yaml_with_a_fault_is_refused_with_a_clear_message(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(SpaceError, match=f"model 'small.yaml'.*{reason}"):
        Parent.load({**_around([-1, 1, "Conv", [32]]), **change}, classes=3)


def test_sizes_that_differ_in_blocks_alone_have_other_keys() -> None:
    # Ultralytics gives YOLO12 other blocks at the scales called l and x, whatever their figures.
    model = stock.resolve("yolo12n.yaml", 3)
    keys = {scale: stock.key_of({**model, "scales": {scale: [1, 1, 512]}, "scale": scale}) for scale in "nsmlx"}
    assert len(set(keys.values())) == 3
    assert keys["n"] == keys["s"]
    assert keys["l"] == keys["x"]
