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
    """Give a fresh network outputs that depend on image and weights, in place.

    Fresh BatchNorm statistics let the signal fade from layer to layer: two networks with different weights would
    agree within any useful tolerance. So the statistics are taken from random images, as training would.
    """
    import torch

    random = torch.Generator().manual_seed(seed)
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    momentum = [module.momentum for module in norms]
    for module in norms:
        module.weight.data.uniform_(0.8, 1.6, generator=random)
        module.bias.data.normal_(0.0, 0.3, generator=random)
        module.momentum = 1.0
    head = network.model[-1]
    for towers in (head.cv3, getattr(head, "one2one_cv3", None) or ()):
        for tower in towers:
            tower[-1].bias.data.normal_(0.0, 1.0, generator=random)
            tower[-1].weight.data.normal_(0.0, 0.1, generator=random)
    mode = network.training
    with torch.no_grad():
        network.train()(torch.rand(8, 3, 96, 96, generator=random))
    network.train(mode)
    for module, before in zip(norms, momentum, strict=True):
        module.momentum = before


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
