"""Weights as people have them: each form is a file, made of a small detector, and how it must be read."""

from __future__ import annotations

import copy
import sys
import types
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

import spaces.offline  # noqa: F401  (before ultralytics)
from spaces.structure.model_yaml import read_model_yaml
from tests.foreign.models import small_model
from tests.spaces.silencing import randomise_batchnorm

# isort: split
from ultralytics.nn import tasks
from ultralytics.nn.modules import Bottleneck
from ultralytics.nn.tasks import DetectionModel

CLASSES = ("cat", "dog", "bird")
ARGUMENTS = {"imgsz": 64, "task": "detect"}
Content = Callable[[], Any]


class WeightForm(NamedTuple):
    """One form.

    Attributes:
        content: Makes what `torch.save` writes.
        refused: Part of the message if it is refused; None if it is read.
        note: Part of what is said about it.
        given: The model YAML that is given beside a file without one.
        file: Name of the file.
        network: Makes the network that must come out; None for that which stock Ultralytics reads.
    """

    name: str
    content: Content
    refused: str | None = None
    note: str = ""
    given: Mapping[str, Any] | None = None
    file: str = "best.pt"
    network: Callable[[], Any] | None = None


def v8(**changes: Any) -> dict[str, Any]:
    """Return a small model of the kind of YOLOv8, with two scales."""
    backbone = [
        [-1, 1, "Conv", [16, 3, 2]],
        [-1, 1, "Conv", [16, 3, 2]],
        [-1, 1, "C2f", [16, True]],
        [-1, 1, "Conv", [32, 3, 2]],
        [-1, 1, "SPPF", [32, 5]],
    ]
    head = [[-1, 1, "nn.Upsample", [None, 2, "nearest"]], [[-1, 2], 1, "Concat", [1]], [-1, 1, "C2f", [16]]]
    return small_model(nc=3, backbone=backbone, head=[*head, [[7, 4], 1, "Detect", ["nc"]]], **changes)


def family(name: str, **changes: Any) -> dict[str, Any]:
    """Return a model of Ultralytics, an eighth as wide."""
    content = read_model_yaml(name)
    scale = content.get("scale") or "n"
    return {**content, "scale": scale, "scales": {scale: [0.33, 0.0625, 256]}, **changes}


def net(model: Mapping[str, Any] | None = None, *, seed: int = 0, change: Callable[[Any], object] | None = None) -> Any:
    """Return a detector whose outputs depend on the picture."""
    torch.manual_seed(seed)
    network: Any = DetectionModel(copy.deepcopy(dict(model or v8())), nc=3, verbose=False)
    randomise_batchnorm(network, seed=seed)
    network.names = dict(enumerate(CLASSES))
    network.args = dict(ARGUMENTS)
    if change is not None:
        change(network)
    return network.eval()


def trainer(network: Any, **more: Any) -> dict[str, Any]:
    """Return what Ultralytics' trainer writes."""
    content = {"epoch": -1, "model": None, "ema": network.half(), "optimizer": None, "train_args": ARGUMENTS}
    return {**content, "version": "8.4.190", **more}


def changed(change: Callable[[Any], object]) -> Content:
    """Return a form whose network was changed in memory."""
    return lambda: trainer(net(change=change))


def of(model: Callable[[], Mapping[str, Any]]) -> Content:
    """Return a form of a network of another model."""
    return lambda: trainer(net(model()))


def tensors(prefix: str = "", *, half: bool = False) -> dict[str, torch.Tensor]:
    """Return tensors alone, under names that begin with a prefix."""
    network = net().half() if half else net()
    return OrderedDict((prefix + name, tensor) for name, tensor in network.state_dict().items())


def with_activation(kind: Callable[[], nn.Module], *, only: str = "") -> Callable[[Any], object]:
    """Return a change of all activations, or of those of one layer."""

    def change(network: Any) -> None:
        for name, module in network.named_modules():
            if isinstance(getattr(module, "act", None), nn.SiLU) and name.startswith(only):
                module.act = kind()

    return change


def another_epsilon(network: Any) -> None:
    """Change what no tensor and no YAML says."""
    network.model[0].bn.eps = 0.1


def another_pooling(network: Any) -> None:
    """Pool over a smaller window."""
    network.model[4].m = nn.MaxPool2d(3, 1, 1)


def without_shortcuts(network: Any) -> None:
    """Leave out the shortcuts."""
    for module in network.modules():
        if isinstance(module, Bottleneck):
            module.add = False


def empty(kind: str) -> Content:
    """Return a checkpoint of another kind of network; its inside does not matter."""

    def content() -> dict[str, Any]:
        made = nn.Module.__new__(getattr(tasks, kind))
        nn.Module.__init__(made)
        return {"model": made}

    return content


def named(network: Any, names: Any) -> Any:
    """Return a network with these class names."""
    network.names = names
    return network


def of_repository() -> dict[str, Any]:
    """Return a checkpoint of the YOLOv5 repository, by the name of its class."""
    return {"model": _foreign("models.yolo", "DetectionModel")()}


def with_own_class() -> dict[str, Any]:
    """Return a checkpoint with a class of its author's."""
    network = net()
    network.model[2] = _foreign("mine.blocks", "C2f_v2")()
    return trainer(network)


def _foreign(home: str, name: str) -> Any:
    kind = type(name, (nn.Module,), {"__module__": home})
    package, module = types.ModuleType(home.split(".")[0]), types.ModuleType(home)
    setattr(module, name, kind)
    setattr(package, home.split(".")[1], module)
    sys.modules.update({package.__name__: package, home: module})
    return kind


def script(path: Path) -> None:
    """Write a TorchScript archive."""
    archive: Any = torch.jit.script(nn.ReLU())
    archive.save(str(path))


WEIGHT_FORMS = (
    # checkpoints of Ultralytics
    WeightForm("as the trainer leaves it", lambda: trainer(net())),
    WeightForm("in the middle of a training", lambda: trainer(net(), model=net(seed=1).half(), epoch=3)),
    WeightForm("with the optimizer", lambda: trainer(net(), optimizer={"state": {0: {"step": torch.ones(1)}}})),
    WeightForm("the model alone in a checkpoint", lambda: {"model": net()}),
    WeightForm("in full precision", lambda: trainer(net(), ema=net())),
    WeightForm("saved without a checkpoint", net),
    WeightForm("names as a list", lambda: {"model": named(net(), list(CLASSES))}),
    WeightForm("names by text", lambda: {"model": named(net(), {"0": "cat", "1": "dog", "2": "bird"})}),
    WeightForm("an old checkpoint", lambda: {"model": net(), "train_args": {"imgsz": "64", "v5loader": False}}),
    WeightForm("called yolov5s.pt", lambda: trainer(net()), file="yolov5s.pt"),
    WeightForm("in a folder with quotes", lambda: trainer(net()), file="Ann's \"50%\" #1 é/best model.pt"),
    # class names
    WeightForm("names spelled otherwise", lambda: {"model": named(net(), ["Cat", "DOG", "bird "])}, note="spell their"),
    WeightForm("numbers for names", lambda: {"model": named(net(), ["class_0", "class_1", "class_2"])}, note="have no"),
    WeightForm("names in another order", lambda: {"model": named(net(), ["dog", "bird", "cat"])}, note="another order"),
    # tensors alone
    WeightForm("a state dictionary", tensors, note="name no classes", given=v8()),
    WeightForm("wrapped", lambda: {"state_dict": tensors(), "epoch": 3}, note="parent.as_is=true", given=v8()),
    WeightForm("as a model", lambda: {"model": tensors(), "epoch": 3}, note="name no classes", given=v8()),
    WeightForm("of several GPUs", lambda: {"model_state_dict": tensors("module.")}, note="name no", given=v8()),
    WeightForm("of YOLO itself", lambda: tensors("model."), note="name no classes", given=v8()),
    WeightForm("in half precision", lambda: tensors(half=True), note="name no classes", given=v8(),
               network=lambda: net().half()),
    WeightForm("the layers alone", lambda: net().model, note="name no classes", given=v8()),
    WeightForm("with names beside", lambda: {"model": tensors(), "names": list(CLASSES)}, given=v8()),
    WeightForm("of another model", tensors, "give the YAML of their model", given=family("yolov8n.yaml")),
    WeightForm("of SAM", lambda: {"model": {"image_encoder.pos_embed": torch.ones(1), "b.0.w": torch.ones(1)}},
               "not those of a YOLO detector: one is called 'image_encoder.pos_embed'", given=v8()),
    # changed beside the YAML
    WeightForm("ReLU", changed(with_activation(nn.ReLU))),
    WeightForm("a leaky ReLU", changed(with_activation(lambda: nn.LeakyReLU(0.1, inplace=True)))),
    WeightForm("Hardswish in the backbone's end", changed(with_activation(nn.Hardswish, only="model.4."))),
    WeightForm("no activation in one layer", changed(with_activation(nn.Identity, only="model.3"))),
    WeightForm("Softplus", changed(with_activation(lambda: nn.Softplus(2, 30))), "is not one that can be set"),
    WeightForm("another epsilon", changed(another_epsilon), "'model.0.bn' is BatchNorm2d(eps=0.1) there"),
    WeightForm("another pooling", changed(another_pooling), "'model.4.m' is MaxPool2d(kernel_size=3"),
    WeightForm("without shortcuts", changed(without_shortcuts), "'model.2.m.0' is Bottleneck(add=False) there"),
    # custom models
    WeightForm("ReLU by its YAML", of(lambda: v8(activation="nn.ReLU()"))),
    WeightForm("YOLOv8 with P2", of(lambda: family("yolov8n-p2.yaml"))),
    WeightForm("YOLOv8 with P6", of(lambda: family("yolov8n-p6.yaml"))),
    WeightForm("YOLOv8 with ghosts", of(lambda: family("yolov8n-ghost.yaml"))),
    WeightForm("without P5", of(v8)),
    WeightForm("without nc", tensors, note="name no", given={key: each for key, each in v8().items() if key != "nc"}),
    WeightForm("deeper", of(lambda: v8(depth_multiple=1.0, width_multiple=0.5))),
    WeightForm("YOLOv5u", of(lambda: family("yolov5n.yaml"))),
    WeightForm("PReLU", of(lambda: v8(activation="nn.PReLU()")), "nothing can be cut"),
    # other networks
    *(WeightForm(kind, empty(kind), f"hold a {kind}: ") for kind in (
        "RTDETRDetectionModel", "WorldModel", "YOLOEModel")),
    WeightForm("the YOLOv5 repository", of_repository, "of YOLOv5 do not say how their network is built"),
    WeightForm("a class of one's own", with_own_class, "mine.blocks.C2f_v2, which stock Ultralytics lacks"),
    WeightForm("a pruned network", lambda: {"model": net({**v8(), "pruned": True})}, "a parent must be whole"),
)  # fmt: skip
