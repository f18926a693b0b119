"""A `.pt` of a network for masks, keypoints or oriented boxes is the parent as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import spaces.offline  # noqa: F401  (before ultralytics)
from spaces.networks.class_matching import in_order
from spaces.networks.parent import Parent
from spaces.structure.heads import HEADS
from tests.spaces.silencing import distance, images, outputs
from tests.spaces.trained_look import make_look_trained

# isort: split
from ultralytics.nn.tasks import yaml_model_load

CLASSES = ("cat", "dog", "bird")


@pytest.mark.parametrize("model", ["yolo11n-seg.yaml", "yolov8n-pose.yaml", "yolo26n-obb.yaml", "yolo11n-cls.yaml"])
def test_weights_of_another_task_are_read_as_they_are(model: str, tmp_path: Path) -> None:
    yaml = yaml_model_load(model)
    network: Any = HEADS[yaml["head"][-1][2]].network_class(yaml, nc=3, verbose=False)
    make_look_trained(network, seed=0)
    network.names = dict(enumerate(CLASSES))
    torch.save({"model": network, "ema": None, "train_args": {"imgsz": 96}}, tmp_path / "best.pt")
    parent = Parent.load(classes=CLASSES, weights=tmp_path / "best.pt")
    assert (parent.weights_match, parent.imgsz, parent.inherited) == (True, 96, 1)
    assert distance(outputs(parent.network, images()), outputs(network.eval(), images())) < 1e-5


@pytest.mark.parametrize("model", ["yolo26n-seg.yaml", "yolo11n-cls.yaml"])
def test_outputs_of_classes_are_put_in_the_order_of_the_data(model: str) -> None:
    parent = Parent.load(model, classes=CLASSES, imgsz=64)
    state = parent.network.state_dict()
    turned = in_order(state, (2, 0, 1))
    moved = [name for name, tensor in turned.items() if not torch.equal(tensor, state[name])]
    assert any("semseg.2" in name or "linear" in name for name in moved)
    assert all(torch.equal(turned[name], state[name][[2, 0, 1]]) for name in moved)


def test_class_towers_of_another_width_are_kept(tmp_path: Path) -> None:
    yaml = yaml_model_load("yolo11n-seg.yaml")
    started: Any = HEADS["Segment"].network_class(yaml, nc=80, verbose=False)
    network: Any = HEADS["Segment"].network_class(yaml, nc=3, verbose=False)
    network.load(started, verbose=False)  # as Ultralytics begins a training from weights of COCO
    network.names = dict(enumerate(CLASSES))
    torch.save({"model": network, "ema": None}, tmp_path / "best.pt")
    parent = Parent.load(classes=CLASSES, imgsz=64, weights=tmp_path / "best.pt")
    assert parent.inherited == 1
    assert distance(outputs(parent.network, images()), outputs(network.eval(), images())) < 1e-5
