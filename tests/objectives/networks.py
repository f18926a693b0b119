"""Small stock networks for the tests of cost, export and latency."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import spaces.offline  # noqa: F401  (before ultralytics)
from spaces.base import PARENT, ArchSpec, Candidate, Origin
from spaces.networks.parent import Parent
from tests.spaces.trained_look import make_look_trained

CLASSES = tuple("0123456789")


@cache
def candidate(model: str = "yolov8n.yaml", width: float | None = None, imgsz: int = 96) -> Candidate:
    """A stock detector with random weights, its widths multiplied by `width` instead of the YAML's own factor.

    Shared between tests: nothing that is tested here may modify it.
    """
    import torch

    from ultralytics.nn.tasks import DetectionModel, yaml_model_load

    torch.set_num_threads(1)
    torch.manual_seed(0)
    structure: dict[str, Any] = yaml_model_load(model)
    if width is not None:
        structure |= {"scales": {"n": [0.33, width, 1024]}, "scale": "n"}
    spec = ArchSpec(parent=f"{model} x {width}", groups=("all",), widths=(1,), kept=((0,),))
    network = DetectionModel(structure, nc=len(CLASSES), verbose=False)
    make_look_trained(network, seed=0)
    return Candidate(spec, Origin((PARENT,)), network, CLASSES, imgsz)


def half_width_parent(classes: Sequence[str], imgsz: int = 96) -> Parent:
    """A yolov8 of half of n's width, untrained."""
    from ultralytics.nn.tasks import yaml_model_load

    structure = yaml_model_load("yolov8n.yaml") | {"scales": {"n": [0.33, 0.125, 1024]}, "scale": "n"}
    return Parent.load(structure, classes=classes, imgsz=imgsz)


def state_of(network: Any) -> dict[str, Any]:
    """A copy of everything that a network's behaviour depends on: tensors and mode."""
    return {name: tensor.clone() for name, tensor in network.state_dict().items()} | {"training": network.training}


def unchanged(network: Any, before: dict[str, Any]) -> bool:
    """Return whether the network is as `state_of` found it."""
    import torch

    now = state_of(network)
    return now.keys() == before.keys() and all(
        torch.equal(now[name], value) if isinstance(value, torch.Tensor) else now[name] == value
        for name, value in before.items()
    )
