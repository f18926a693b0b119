"""Export of a candidate as a `.pt` of the original YOLOv5: its `val.py`, `detect.py` and `export.py` load it as it is.

A file of the repository is a pickle that names the repository's classes. Those are not needed to write one: the pickler
writes their names in place of those of Ultralytics' blocks, which compute the same.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

import spaces.offline  # noqa: F401  (before ultralytics)
from objectives.export.pt_file import halve, refusing, with_own_sizes
from spaces.anchors.anchor_head import AnchorDetect, is_anchor_head
from spaces.anchors.anchor_network import AnchorDetectionModel
from spaces.base import Candidate, CandidateError
from spaces.durable import write_bytes
from spaces.structure.activations import ACTIVATIONS

HOW_TO_TRAIN_HERE = (
    "this network is pruned, and train.py would rebuild it unpruned from its YAML; val.py, detect.py and export.py "
    "take it as it is, and a study of the program that pruned it trains it"
)
"""Text in place of a layer's name in the YAML of a pruned network: the error of train.py shows it."""
_BLOCKS = frozenset({"Conv", "DWConv", "C3", "Bottleneck", "SPPF", "Concat", "GhostConv", "GhostBottleneck", "C3Ghost"})
"""Layers of Ultralytics that the repository has under the same names, in its module `models.common`."""
_HEADS: Mapping[type, str] = {AnchorDetect: "Detect", AnchorDetectionModel: "DetectionModel"}
"""Names of our own classes in the repository's module `models.yolo`."""
_LEFT_BY_TRAINING = ("args", "criterion", "pt_path", "task")
"""Attributes of our network that the original's has not."""


def export_yolov5(candidate: Candidate, path: Path, facts: Mapping[str, Any]) -> Path:
    """Write a candidate as the original's `train.py` writes its own final checkpoints.

    Any widths can be written. Tensors are stored in half precision where that loses nothing, as by `export_pt`. Only
    `train.py` rebuilds a network from its YAML: that of a pruned network names a layer that does not exist, so that it
    fails with `HOW_TO_TRAIN_HERE` instead of training the uncut network.

    Args:
        candidate: Not modified.
        path: Ends in `.pt`; its folder exists.
        facts: Further values to store in the file: plain ones, such as JSON has.

    Raises:
        CandidateError: If the network is no original YOLOv5, or holds a layer that the original lacks.
        OSError: If the file cannot be written.
    """
    if not is_anchor_head(candidate.network):
        name = dict(candidate.network.yaml).get("yaml_file")  # type: ignore[arg-type]
        raise CandidateError(
            f"--format yolov5 writes detectors of the original YOLOv5, and this one is a {name}: --format pt writes it "
            "for Ultralytics"
        )
    network = _bare_copy(candidate)
    _require_original(network)
    network.yaml = _rebuilding_yaml(network) or refusing(network.yaml, HOW_TO_TRAIN_HERE)
    halve(network)
    packed = BytesIO()
    content = {"epoch": -1, "best_fitness": None, "model": network, "ema": None, "updates": None, "optimizer": None}
    torch.save(
        {**content, "opt": {"imgsz": candidate.imgsz}, "facts": dict(facts)},
        packed,
        pickle_module=_pickle_module(),
    )
    return write_bytes(path, packed.getvalue())


class _RenamingPickler(pickle._Pickler):  # the C pickler looks each class up by its name, and would not find these
    """Pickler that writes the names of the repository's classes in place of ours."""

    def save_global(self, obj: Any, name: str | None = None) -> None:
        """Write the name of a class or function."""
        renamed = _name_of(obj) if isinstance(obj, type) else None
        if renamed is None:
            super().save_global(obj, name)  # type: ignore[misc]  # the stubs know only the C pickler's methods
        else:
            self.write(pickle.GLOBAL + renamed.encode())  # type: ignore[attr-defined]
            self.memoize(obj)  # type: ignore[attr-defined]


def _name_of(kind: type) -> str | None:
    """Return module and name of a class in the repository, a line each as in a pickle; None for a class of others."""
    if kind in _HEADS:
        return f"models.yolo\n{_HEADS[kind]}\n"
    of_ultralytics = kind.__module__.startswith("ultralytics.nn.modules.") and kind.__name__ in _BLOCKS
    return f"models.common\n{kind.__name__}\n" if of_ultralytics else None


def _pickle_module() -> Any:
    """Return what `torch.save` takes for the module `pickle`."""
    found: Any = ModuleType("pickle")
    found.Pickler = _RenamingPickler
    return found


def _bare_copy(candidate: Candidate) -> Any:
    """Return the network with the attributes that the original's code asks for, and none that training left."""
    network: Any = copy.deepcopy(candidate.network).float().cpu().eval()
    network.names, network.nc = dict(enumerate(candidate.classes)), len(candidate.classes)
    for left in _LEFT_BY_TRAINING:
        vars(network).pop(left, None)
    head = network.model[-1]
    head.grid, head.anchor_grid = ([torch.empty(0) for _ in range(head.nl)] for _ in range(2))
    head.inplace = network.inplace
    return network


def _require_original(network: Any) -> None:
    for name, module in network.named_modules():
        known = _name_of(type(module)) or type(module).__module__.startswith("torch.nn.")
        if not known:
            raise CandidateError(f"--format yolov5: {name} is a {type(module).__name__}, which the original lacks")


def _rebuilding_yaml(network: Any) -> dict[str, Any] | None:
    """Return a YAML from which the original's `train.py` builds exactly this network, or None.

    It takes all tensors of the file whose names and shapes are those of the network that it builds.
    """
    if ACTIVATIONS in network.yaml:
        return None
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
    for yaml in (dict(network.yaml), with_own_sizes(network)):
        try:
            with torch.random.fork_rng(devices=[]):
                rebuilt: Any = AnchorDetectionModel(copy.deepcopy(yaml))
        except (AssertionError, RuntimeError, TypeError, ValueError):  # of widths that a block cannot have
            continue
        if {name: tensor.shape for name, tensor in rebuilt.state_dict().items()} == shapes:
            return yaml
    return None
