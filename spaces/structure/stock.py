"""Stock Ultralytics detectors from their YAML: resolve, build, key. Derives the structure once per process."""

from __future__ import annotations

import copy
import hashlib
import json
import re
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

import spaces.offline  # noqa: F401  (before ultralytics)
from spaces.anchors.anchor_network import AnchorDetectionModel
from spaces.anchors.rows import anchors_of, is_anchored
from spaces.base import MOST_CLASSES, SpaceError
from spaces.foreign.plain_json import check_plain
from spaces.shown import LONGEST_PATH, shown, shown_reason, shown_value
from spaces.structure.activations import set_activations
from spaces.structure.class_towers import KEY as CLASS_WIDTH
from spaces.structure.class_towers import widen
from spaces.structure.heads import CUT_HEADS, HEADS, head_kind, task_of
from spaces.structure.model_cost import check_cost
from spaces.structure.model_yaml import is_other_code, read_model_yaml
from spaces.structure.repeats import Detector
from spaces.structure.structure import Structure, derive

# isort: split
from ultralytics.nn.modules.conv import Conv
from ultralytics.utils import DEFAULT_CFG_DICT, IterableSimpleNamespace

_STRUCTURES: dict[str, Structure] = {}
MOST_SCALED, MOST_ROWS = 8, 200
"""Maximum scale factor, and maximum number of layers or repeats: above any Ultralytics detector, within any memory."""
LONGEST_ROW = 120
"""Maximum number of characters of a layer, or of a builder's words, in a message."""
_NOT_STRUCTURE = ("yaml_file", "channels", "ch", "names", "nc", "scales", "inplace")
_ACTIVATION = re.compile(r"(torch\.)?nn\.[A-Za-z0-9]+\([A-Za-z_]*=?[A-Za-z0-9_.]*\)")


def resolve(model: str | Mapping[str, Any], classes: int) -> dict[str, Any]:
    """Return the model YAML as a plain dict with one scale and this class count.

    Args:
        model: Name or path of an Ultralytics model YAML (`yolov8n.yaml`, `yolov8n`), or its content.

    Raises:
        SpaceError: If there is no such YAML, or it describes no three-channel network with a head that can be cut.
    """
    content = read_model_yaml(model) if isinstance(model, str) else dict(model)
    name = model if isinstance(model, str) else content.get("yaml_file", "model")
    if not isinstance(name, str):
        raise SpaceError(f"a model is called {shown_value(name)}; its name must be text")
    name = shown(name, most=LONGEST_PATH)
    check_plain(content, f"model '{name}'")
    content = copy.deepcopy(content)
    for part in ("backbone", "head"):
        if not isinstance(content.get(part), list):
            raise SpaceError(f"model '{name}' has no '{part}'")
    _check_layers(name, content["backbone"] + content["head"])
    _check_activation(name, content.get("activation"))
    if (channels := content.get("channels", content.get("ch", 3))) != 3:
        raise SpaceError(f"model '{name}' reads {shown_value(channels)} image channels; 3 are needed")
    content["yaml_file"] = Path(name).name  # never a path of the machine it was read on
    if not 1 <= classes <= MOST_CLASSES:
        raise SpaceError(f"model '{name}' is asked for {classes} classes; give 1 to {MOST_CLASSES}")
    content["nc"] = classes
    if content.get("scales"):
        content |= _one_scale(name, content["scales"], content.get("scale"))
    _check_size(name, content)
    if is_anchored(content):
        anchors_of(name, content)
    check_cost(name, content)
    return content


def _check_size(name: str, content: Mapping[str, Any]) -> None:
    """Refuse a model that is too large: building it could exhaust the memory, and a file may hold any numbers."""
    scales = list((content.get("scales") or {}).values())
    if any(not isinstance(width, int | float) or not width > 0 for *_, width in scales):
        raise SpaceError(f"model '{name}': the largest number of channels of a scale must be a number above 0")
    factors = [factor for scale in scales for factor in scale[:2]]
    for factor in (*factors, *(content.get(key, 1) for key in ("depth_multiple", "width_multiple"))):
        if not isinstance(factor, int | float) or not 0 < factor <= MOST_SCALED:
            raise SpaceError(
                f"model '{name}' is scaled by {shown_value(factor)}; it must be above 0 and at most {MOST_SCALED}"
            )
    rows = [*content["backbone"], *content["head"]]
    if len(rows) > MOST_ROWS or any(row[1] > MOST_ROWS for row in rows):
        raise SpaceError(f"model '{name}' has more than {MOST_ROWS} layers or repeats of a layer, too many to build")


def _check_layers(name: str, layers: Sequence[Any]) -> None:
    """Refuse, before anything is built, a model that is not a detector or would download weights."""
    for index, row in enumerate(layers):
        if not isinstance(row, list) or len(row) != 4 or not _is_layer(*row):
            what = shown(row, most=LONGEST_ROW)
            raise SpaceError(f"model '{name}': layer {index} is {what}; [from, repeats, module, [arguments]] is right")
        if is_other_code(row[2]):
            what = shown_value(row[2])
            raise SpaceError(f"model '{name}' cannot be built: layer model.{index} is {what}, which is no module")
        if row[2] == "TorchVision" and (len(row[3]) < 3 or row[3][2] not in (None, "None")):
            raise SpaceError(
                f"model '{name}': layer model.{index} (TorchVision) would download weights; its third argument must "
                "be None"
            )
    if not layers or layers[-1][2] not in HEADS:
        last = layers[-1][2] if layers else "absent"
        raise SpaceError(f"model '{name}': layer model.{len(layers) - 1} is {last}; {CUT_HEADS}")


def _check_activation(name: str, activation: Any) -> None:
    """Refuse an activation that is more than a class of torch.nn with plain arguments: Ultralytics may evaluate it."""
    if activation is not None and not (isinstance(activation, str) and _ACTIVATION.fullmatch(activation)):
        what = shown_value(activation)
        raise SpaceError(f"model '{name}' cannot be built: the activation {what} is blocked; nn.ReLU() is right")


def _is_layer(inputs: Any, repeats: Any, module: Any, arguments: Any) -> bool:
    sources = inputs if isinstance(inputs, list) else [inputs]
    counts = all(isinstance(each, int) and not isinstance(each, bool) for each in (*sources, repeats))
    return counts and bool(sources) and repeats >= 0 and isinstance(module, str) and isinstance(arguments, list)


def _one_scale(name: str, scales: Any, scale: Any) -> dict[str, Any]:
    if not isinstance(scales, Mapping) or not all(isinstance(v, list | tuple) and len(v) == 3 for v in scales.values()):
        raise SpaceError(
            f"model '{name}': scales are {shown(scales, most=LONGEST_ROW)}; right is "
            "{name: [depth, width, max channels]}"
        )
    scale = scale or next(iter(scales))
    if not isinstance(scale, str) or scale not in scales:
        listed = shown(", ".join(scales), most=LONGEST_ROW)
        raise SpaceError(f"model '{name}' has no scale {shown_value(scale)}; it has {listed}")
    return {"scale": scale, "scales": {scale: list(scales[scale])}}


def class_count(model: str | Mapping[str, Any]) -> int:
    """Return the class count that a model YAML names.

    Raises:
        SpaceError: If there is no such YAML, or it names none.
    """
    content = read_model_yaml(model) if isinstance(model, str) else model
    count = content.get("nc")
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        named = shown(model, most=LONGEST_PATH) if isinstance(model, str) else "given"
        raise SpaceError(f"model '{named}' names no class count; give classes")
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
    """Return a freshly initialised network of the model's task, a `DetectionModel` or alike, equal for equal seeds.

    Raises:
        SpaceError: If Ultralytics cannot build it.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        usual_activation = Conv.default_act  # of the whole process; a builder that fails would leave the model's
        try:
            kind: Any = AnchorDetectionModel if is_anchored(model) else head_kind(model).network_class
            network: Detector = kind(copy.deepcopy(dict(model)), verbose=False)
            if model.get(CLASS_WIDTH) is not None:
                widen(network, model[CLASS_WIDTH])
            set_activations(network, model)
        except SpaceError as error:
            raise SpaceError(f"model '{model.get('yaml_file')}' cannot be built: {error}") from error
        except Exception as error:  # Ultralytics' builder raises any error on a model that it cannot build
            reason = shown_reason(error)
            unknown = "unknown name " * isinstance(error, KeyError)
            where = _layer_at_work(error)
            raise SpaceError(f"model '{model.get('yaml_file')}' cannot be built: {where}{unknown}{reason}") from error
        finally:
            Conv.default_act = usual_activation
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
    network.task = task_of(network)
    arguments = {**DEFAULT_CFG_DICT, "task": network.task, "model": network.yaml["yaml_file"], "imgsz": imgsz}
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
