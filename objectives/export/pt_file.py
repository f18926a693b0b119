"""Export of a candidate as a `.pt` of stock classes: Ultralytics loads, runs, validates and exports it alone."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import nn

import spaces.offline  # noqa: F401  (before ultralytics)
from objectives.tasks.registry import task_named
from spaces.anchors.anchor_head import is_anchor_head
from spaces.base import Candidate, CandidateError
from spaces.durable import write_bytes
from spaces.networks.yolov5_file import PRUNED
from spaces.structure.heads import task_of

# isort: split
from ultralytics import YOLO, __version__

Detector = Any
"""An Ultralytics `DetectionModel`: torch's types do not know its attributes."""


def how_to_train(task: str) -> str:
    """Return the text in place of a layer name in the YAML of a pruned network; Ultralytics' error shows it to users.

    Args:
        task: Ultralytics' name of the network's task.
    """
    trainer = task_named(task).trainer().__name__
    return (
        "this network is pruned, and YOLO.train() would rebuild it unpruned from its YAML. Instead: "
        f"trainer = {trainer}(overrides={{'model': 'x.pt', 'data': ...}}); "
        "trainer.model = YOLO('x.pt').model; trainer.train()"
    )


def export_pt(candidate: Candidate, path: Path, facts: Mapping[str, Any]) -> Path:
    """Write a candidate as Ultralytics' trainer writes its own checkpoints, but with no path of this machine.

    Tensors are stored in half precision where that loses nothing: all those of a network from one of our checkpoints.

    `YOLO(path).train()` builds a new network from the YAML in the file. Few prunings can be expressed in YAML.
    For the others the YAML names a layer that does not exist, so that training fails with `how_to_train` instead of
    silently training the uncut network (docs/decisions/0007). Nothing else that Ultralytics does builds from it;
    `objectives.pruned_training` trains the network that is there.

    Args:
        candidate: Not modified.
        path: Ends in `.pt`; its folder exists.
        facts: Further JSON values to store in the file.

    Raises:
        CandidateError: If the network holds a class that a stock installation does not have.
        OSError: If the file cannot be written.
    """
    network = _bare_copy(candidate)
    _require_stock(network)
    network.yaml = model_yaml(network) or refusing(network.yaml, how_to_train(task_of(network)))
    halve(network)
    content = {
        "epoch": -1,  # the value after a training that has ended
        "model": network,
        "ema": None,
        "optimizer": None,
        "train_args": dict(network.args),
        "facts": json.loads(json.dumps(dict(facts))),  # plain values only: the weights-only loader takes no others
        "version": __version__,
        "license": "AGPL-3.0 (https://ultralytics.com/license)",
    }
    packed = BytesIO()
    torch.save(content, packed)  # to a path it raises RuntimeError where the disk is full, and leaves a part
    return write_bytes(path, packed.getvalue())


def model_yaml(network: Detector) -> dict[str, Any] | None:
    """Return a YAML from which `YOLO(...).train()` would train exactly this network, or None.

    Ultralytics builds a network from the YAML and loads the tensors that fit. There is such a YAML if nothing was cut,
    or only whole bottlenecks and the outputs of whole rows in steps of 8.

    Args:
        network: Float32. Not modified.

    Returns:
        The network's own YAML if it describes it, else one with its rows' own widths and repeats; None if neither does.

    Source: ultralytics/engine/model.py, Model.train; ultralytics/models/yolo/detect/train.py, get_model.
    """
    return next((yaml for yaml in (network.yaml, with_own_sizes(network)) if _rebuilds(network, yaml)), None)


def _rebuilds(network: Detector, yaml: Mapping[str, Any]) -> bool:
    try:
        with torch.random.fork_rng(devices=[]):
            rebuilt = type(network)(copy.deepcopy(dict(yaml)), verbose=False)
    except (
        AssertionError,
        RuntimeError,
        ValueError,
        TypeError,
    ):  # blocks have requirements of their own on their widths
        return False
    rebuilt.load(network, verbose=False)
    own, other = network.state_dict(), rebuilt.state_dict()
    return own.keys() == other.keys() and all(torch.equal(tensor, other[name]) for name, tensor in own.items())


def with_own_sizes(network: Detector) -> dict[str, Any]:
    """Return the network's YAML with each row's width and repeats as they are, and factors of 1."""
    yaml = copy.deepcopy(network.yaml)
    yaml |= {"scale": yaml.get("scale") or "n", "depth_multiple": 1.0, "width_multiple": 1.0}
    yaml["scales"] = {yaml["scale"]: [1.0, 1.0, 65536]}  # the letter stays: m, l and x stand for other blocks too
    widths = _output_widths(network)
    for row, layer, width in zip((*yaml["backbone"], *yaml["head"]), network.model, widths, strict=True):
        _, _, module, arguments = row
        repeated = layer if isinstance(layer, nn.Sequential) else getattr(layer, "m", None)
        if isinstance(repeated, nn.Sequential | nn.ModuleList):
            row[1] = len(repeated)
        if arguments and isinstance(arguments[0], int) and module != "Concat":
            arguments[0] = width
    return dict(yaml)


def _output_widths(network: Detector) -> list[int | None]:
    """Return channels of each top-level layer's output; None for the head's."""
    widths: list[int | None] = []
    twin = copy.deepcopy(network)
    for layer in twin.model:
        layer.register_forward_hook(lambda _, __, out: widths.append(getattr(out, "shape", (0, None))[1]))
    with torch.no_grad():
        twin(torch.zeros(1, 3, 64, 64))
    return widths


def refusing(yaml: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """Return the YAML with a first layer that cannot be built and says why."""
    return {**yaml, "backbone": [[-1, 1, reason, []], *yaml["backbone"]], PRUNED: True}


def check_pt(candidate: Candidate, path: Path) -> int:
    """Make sure that Ultralytics itself reads the candidate's network from a file, tensor by tensor.

    Returns:
        Number of its parameters.

    Raises:
        CandidateError: If it reads another network.
    """
    read: Detector = YOLO(str(path)).model
    own, other = candidate.network.state_dict(), read.state_dict()
    if own.keys() != other.keys():
        raise CandidateError(f"'{path.name}' reads back with other tensors: '{min(own.keys() ^ other.keys())}'")
    for name, tensor in own.items():
        if not torch.equal(tensor, other[name]):
            raise CandidateError(f"tensor '{name}' of '{path.name}' reads back as another one")
    if read.names != dict(enumerate(candidate.classes)):
        raise CandidateError(f"'{path.name}' reads back with the classes {read.names}")
    return sum(parameter.numel() for parameter in read.parameters())


def _bare_copy(candidate: Candidate) -> Detector:
    """Return the network as Ultralytics expects it in a file, without attributes that a pass or training left on it."""
    network: Detector = copy.deepcopy(candidate.network).float().cpu().eval()
    network.task, network.nc, network.names = (
        task_of(network),
        len(candidate.classes),
        dict(enumerate(candidate.classes)),
    )
    network.args = {"task": network.task, "imgsz": candidate.imgsz}
    for owner, left in ((network, ("pt_path", "criterion")), (network.model[-1], ("shape", "anchors", "strides"))):
        for name in left:
            owner.__dict__.pop(name, None)
    return network


def _require_stock(network: Detector) -> None:
    if is_anchor_head(network):
        raise CandidateError(
            "Ultralytics reads no detectors of the original YOLOv5; --format yolov5 writes this one for its own code"
        )
    for module in network.modules():
        home = type(module).__module__
        if home.split(".")[0] not in ("torch", "ultralytics"):
            raise CandidateError(f"the network holds a {home}.{type(module).__name__}, which stock Ultralytics lacks")


def halve(network: Detector) -> None:
    """Store tensors in half precision, in place; those that would change stay as they are."""
    for tensor in chain(network.parameters(), network.buffers()):
        if tensor.is_floating_point() and torch.equal(tensor.half().float(), tensor):
            tensor.data = tensor.data.half()
