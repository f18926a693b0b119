"""Small stock networks for the tests of cost, export and latency."""

from __future__ import annotations

from functools import cache
from typing import Any

import spaces.offline  # noqa: F401  (before ultralytics)
from spaces.base import PARENT, ArchSpec, Candidate, Origin

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
    enliven(network, seed=0)
    return Candidate(spec, Origin((PARENT,)), network, CLASSES, imgsz)


def enliven(network: Any, seed: int) -> None:
    """Random BatchNorm and class biases, in place: a fresh network answers nearly the same to every image.

    Without this two networks with different weights agree within any useful tolerance.
    """
    import torch

    random = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.weight.data.uniform_(0.8, 1.6, generator=random)
            module.bias.data.normal_(0.0, 0.3, generator=random)
            module.running_mean.normal_(0.0, 0.1, generator=random)
            module.running_var.uniform_(0.3, 0.8, generator=random)
    head = network.model[-1]
    for towers in (head.cv3, getattr(head, "one2one_cv3", None) or ()):
        for tower in towers:
            tower[-1].bias.data.normal_(0.0, 1.0, generator=random)


def state_of(network: Any) -> dict[str, Any]:
    """A copy of everything that a network's behaviour depends on: tensors and mode."""
    return {name: tensor.clone() for name, tensor in network.state_dict().items()} | {"training": network.training}


def unchanged(network: Any, before: dict[str, Any]) -> bool:
    """Whether the network is as `state_of` found it."""
    import torch

    now = state_of(network)
    return now.keys() == before.keys() and all(
        torch.equal(now[name], value) if isinstance(value, torch.Tensor) else now[name] == value
        for name, value in before.items()
    )
