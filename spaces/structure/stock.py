"""Stock Ultralytics detectors from their YAML: resolve, build, key. Derives the structure once per process."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml

import spaces.offline  # noqa: F401  (before ultralytics)
from spaces.base import MOST_CLASSES, SpaceError
from spaces.path_facts import path_fact
from spaces.structure.class_towers import KEY as CLASS_WIDTH
from spaces.structure.class_towers import widen
from spaces.structure.repeats import Detector
from spaces.structure.structure import Structure, derive

# isort: split
from ultralytics.nn.tasks import DetectionModel, yaml_model_load
from ultralytics.utils import DEFAULT_CFG_DICT, IterableSimpleNamespace

_STRUCTURES: dict[str, Structure] = {}
MOST_SCALED, MOST_ROWS = 8, 200
"""Maximum scale factor, and maximum number of layers or repeats: above any Ultralytics detector, within any memory."""
_NOT_STRUCTURE = ("yaml_file", "channels", "ch", "names", "nc", "scales", "inplace")
_HEADS = ("Detect", "v10Detect")


def resolve(model: str | Mapping[str, Any], classes: int) -> dict[str, Any]:
    """Return the model YAML as a plain dict with one scale and this class count.

    Args:
        model: Name or path of an Ultralytics model YAML (`yolov8n.yaml`, `yolov8n`), or its content.

    Raises:
        SpaceError: If there is no such YAML, or it describes no three-channel detector with a Detect head.
    """
    content = _read_yaml(model) if isinstance(model, str) else copy.deepcopy(dict(model))
    name = model if isinstance(model, str) else str(content.get("yaml_file", "model"))
    for part in ("backbone", "head"):
        if not isinstance(content.get(part), list):
            raise SpaceError(f"model '{name}' has no '{part}'")
    _check_layers(name, content["backbone"] + content["head"])
    if content.get("channels", content.get("ch", 3)) != 3:
        raise SpaceError(f"model '{name}' reads {content.get('channels')} image channels; 3 are needed")
    content["yaml_file"] = Path(name).name  # never a path of the machine it was read on
    if not 1 <= classes <= MOST_CLASSES:
        raise SpaceError(f"model '{name}' is asked for {classes} classes; give 1 to {MOST_CLASSES}")
    content["nc"] = classes
    if content.get("scales"):
        content |= _one_scale(name, content["scales"], content.get("scale"))
    _check_size(name, content)
    return content


def _check_size(name: str, content: Mapping[str, Any]) -> None:
    """Refuse a model that is too large: building it could exhaust the memory, and a file may hold any numbers."""
    factors = [factor for scale in (content.get("scales") or {}).values() for factor in scale[:2]]
    for factor in (*factors, *(content.get(key, 1) for key in ("depth_multiple", "width_multiple"))):
        if not isinstance(factor, int | float) or not 0 < factor <= MOST_SCALED:
            raise SpaceError(f"model '{name}' is scaled by {factor!r}; it must be above 0 and at most {MOST_SCALED}")
    rows = [*content["backbone"], *content["head"]]
    if len(rows) > MOST_ROWS or any(isinstance(row[1], int) and row[1] > MOST_ROWS for row in rows):
        raise SpaceError(f"model '{name}' has more than {MOST_ROWS} layers or repeats of a layer, too many to build")


def _check_layers(name: str, layers: Sequence[Any]) -> None:
    """Refuse, before anything is built, a model that is not a detector or would download weights."""
    for index, row in enumerate(layers):
        if not isinstance(row, list) or len(row) != 4 or not isinstance(row[3], list):
            raise SpaceError(f"model '{name}': layer {index} is {row!r}; [from, repeats, module, [arguments]] is right")
        if row[2] == "TorchVision" and (len(row[3]) < 3 or row[3][2] not in (None, "None")):
            raise SpaceError(
                f"model '{name}': layer model.{index} (TorchVision) would download weights; its third argument must "
                "be None"
            )
    if not layers or layers[-1][2] not in _HEADS:
        last = layers[-1][2] if layers else "absent"
        raise SpaceError(f"model '{name}': layer model.{len(layers) - 1} is {last}; only Detect heads can be cut")


def _one_scale(name: str, scales: Any, scale: Any) -> dict[str, Any]:
    if not isinstance(scales, Mapping) or not all(isinstance(v, list | tuple) and len(v) == 3 for v in scales.values()):
        raise SpaceError(f"model '{name}': scales are {scales!r}; right is {{name: [depth, width, max channels]}}")
    scale = scale or next(iter(scales))
    if scale not in scales:
        raise SpaceError(f"model '{name}' has no scale '{scale}'; it has {', '.join(map(str, scales))}")
    return {"scale": scale, "scales": {scale: list(scales[scale])}}


def _read_yaml(name: str) -> dict[str, Any]:
    file = name if name.endswith((".yaml", ".yml")) else f"{name}.yaml"
    try:
        content = yaml_model_load(file)
    except (FileNotFoundError, yaml.YAMLError) as error:
        there = os.path.lexists(file) and not os.path.isfile(file)
        fact = path_fact(file) if there else str(error).splitlines()[0]
        raise SpaceError(f"no model '{name}': {fact}") from error
    if not isinstance(content, dict):
        raise SpaceError(f"model '{name}' is not a mapping")
    return content


def is_known(name: str) -> bool:
    """Return whether a name stands for an Ultralytics model YAML."""
    try:
        _read_yaml(name)
    except SpaceError:
        return False
    return True


def class_count(model: str | Mapping[str, Any]) -> int:
    """Return the class count that a model YAML names.

    Raises:
        SpaceError: If there is no such YAML, or it names none.
    """
    content = _read_yaml(model) if isinstance(model, str) else model
    count = content.get("nc")
    if not isinstance(count, int):
        raise SpaceError(f"model '{model if isinstance(model, str) else 'given'}' names no class count; give classes")
    return count


def key_of(model: Mapping[str, Any]) -> str:
    """Return the hash of all values in a resolved model that determine the structure; the class count is one."""
    settles = {name: value for name, value in model.items() if name not in _NOT_STRUCTURE and value is not None}
    scales = model.get("scales")
    if scales:
        settles["depth_width_channels"] = next(iter(scales.values()))
        settles.pop("scale", None)
        settles["large"] = model["scale"] in ("m", "l", "x")  # these sizes get other blocks (parse_model)
        if model["scale"] in ("l", "x"):  # and in YOLO12 these two get other blocks again
            settles["largest"] = True
    settles["classes"] = model["nc"]
    return hashlib.sha256(json.dumps(settles, sort_keys=True).encode()).hexdigest()[:32]


def build(model: Mapping[str, Any], classes: Sequence[str], imgsz: int, seed: int) -> Detector:
    """Return a freshly initialised `DetectionModel`, equal for equal seeds.

    Raises:
        SpaceError: If Ultralytics cannot build it.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            network: Detector = DetectionModel(copy.deepcopy(dict(model)), verbose=False)
            if model.get(CLASS_WIDTH) is not None:
                widen(network, model[CLASS_WIDTH])
        except (KeyError, TypeError, ValueError, IndexError, RuntimeError, AttributeError, AssertionError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            unknown = "unknown name " * isinstance(error, KeyError)
            where = _layer_at_work(error)
            raise SpaceError(f"model '{model.get('yaml_file')}' cannot be built: {where}{unknown}{reason}") from error
    set_ultralytics_attributes(network, classes, imgsz)
    network.eval()
    return network


def _layer_at_work(error: Exception) -> str:
    """Return the layer that Ultralytics was building or running, by its own variables; empty if unknown."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        index: Any = frame.f_locals.get("i")
        module: Any = frame.f_locals.get("m")
        if frame.f_code.co_name == "parse_model" and index is not None:
            return f"layer model.{index} ({getattr(module, '__name__', module)}): "
        if frame.f_code.co_name == "_predict_once" and hasattr(module, "i"):
            return f"layer model.{module.i} ({type(module).__name__}): "
    return ""


def set_ultralytics_attributes(network: Detector, classes: Sequence[str], imgsz: int) -> None:
    """Set the attributes of a network that Ultralytics' loss, validator and exporter read."""
    network.names = dict(enumerate(classes))
    network.nc = len(classes)
    network.task = "detect"
    arguments = {**DEFAULT_CFG_DICT, "task": "detect", "model": network.yaml["yaml_file"], "imgsz": imgsz}
    network.args = IterableSimpleNamespace(**arguments)


def structure_of(model: Mapping[str, Any]) -> Structure:
    """Return the structure of a resolved model; derived at the first call in this process.

    Raises:
        SpaceError: If the model holds a head or a block that cannot be cut.
    """
    key = key_of(model)
    if key not in _STRUCTURES:
        network = build(model, tuple(map(str, range(model["nc"]))), imgsz=640, seed=0)
        try:
            _STRUCTURES[key] = derive(key, network)
        except SpaceError as error:
            raise SpaceError(f"model '{model['yaml_file']}': {error}") from error
    return _STRUCTURES[key]
