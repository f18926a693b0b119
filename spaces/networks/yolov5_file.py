"""Reads a `.pt` of the original YOLOv5 (repository ultralytics/yolov5) without its classes, which Ultralytics refuses.

torch's weights-only unpickler reads the file. Each class that the file names (`models.*`, `utils.*`, those of torch.nn
and numpy) is replaced by an empty class of ours that only keeps attributes, so no code that the file names is run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spaces.anchors.rows import is_anchored, name_of
from spaces.base import SpaceError
from spaces.networks.pt_archive import check_archive
from spaces.shown import shown, shown_reason, shown_value

HOMES = ("models.", "utils.", "yolov5.models.", "yolov5.utils.")
"""Modules of the repository, and of its package on PyPI."""
_REPLACED = (*HOMES, "torch.nn.modules.", "torch.nn.parameter.", "numpy.", "pathlib.")
"""Modules whose classes are replaced; a file that names any other one is refused."""
_NETWORKS = ("DetectionModel", "Model")
"""Names of the repository's detector since v6.2, and before."""
_OLDER = ("Focus", "SPP", "BottleneckCSP")
"""Layers of the stock networks up to v5.0."""
_BLOCKS = frozenset({"Conv", "C3", "Bottleneck", "SPPF", "Concat", "DWConv", "GhostConv", "GhostBottleneck", "C3Ghost"})
"""Layers that compute the same as Ultralytics' of that name."""
_ACTIVATIONS = {"SiLU": None, "ReLU": "nn.ReLU()", "LeakyReLU": "nn.LeakyReLU(0.1)", "Hardswish": "nn.Hardswish()"}
"""Activations by class, and what the model YAML says for them."""
_AUGMENTATION = (
    "hsv_h", "hsv_s", "hsv_v", "degrees", "translate", "scale", "shear", "perspective", "flipud", "fliplr", "mosaic",
    "mixup",
)  # fmt: skip
"""Settings that have the same name and meaning in Ultralytics."""
PRUNED = "pruned"
"""Key in the model YAML of a `.pt` whose network was cut: the YAML is that of its parent."""
_STRUCTURE = ("depth_multiple", "width_multiple", "anchors", "activation", "backbone", "head")
_MOST_MODULES, _DEEPEST = 20_000, 50
"""Maximum number of modules, and of modules inside each other: a stock network has some 400, and 6."""


@dataclass(frozen=True)
class OriginalDetector:
    """Content of a file of the original YOLOv5; see `WeightsFile`.

    Attributes:
        names: Class names, as the file has them.
        state: Tensors by name, as they are in the file.
    """

    model: Mapping[str, Any]
    names: Any
    state: Mapping[str, Tensor] = field(repr=False)
    train_args: Mapping[str, Any] = field(default_factory=dict)


class _StandIn:
    """Object of any class of the file: it has attributes and does nothing.

    Attributes:
        home: Full name of the class in the file.
    """

    home = ""

    def __new__(cls, *_: Any, **__: Any) -> _StandIn:
        return object.__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        """Ignore the arguments."""

    def __setstate__(self, state: Any) -> None:
        """Keep the attributes; a state of another kind has none."""
        if isinstance(state, Mapping):
            vars(self).update({key: value for key, value in state.items() if isinstance(key, str)})


def is_original(path: Path) -> bool:
    """Return whether a `.pt` names classes of the repository.

    Raises:
        SpaceError: If the archive is damaged, or would inflate beyond the bounds.
    """
    check_archive(path)  # else the unpickler reads any bytes
    return any(name.startswith(HOMES) for name in _names_in(path))


def read_original(path: Path) -> OriginalDetector:
    """Read a `.pt` of v6.0 to v7.0 for which `is_original` holds.

    Raises:
        SpaceError: If it is older, holds no detector or a layer that is not read, or names other classes.
    """
    network = _network(path, content := _content(path))
    modules = dict(_walked(path, network))
    _check_layers(path, modules)
    yaml = _attribute(network, "yaml")
    if not isinstance(yaml, Mapping) or not is_anchored(yaml):
        raise SpaceError(f"weights '{path}' of YOLOv5 do not say how their network is built")
    if PRUNED in yaml:
        raise SpaceError(f"weights '{path}' hold a pruned network; a parent must be whole")
    model = {key: yaml[key] for key in _STRUCTURE if key in yaml}
    model |= _activation(path, modules)
    model = {key: value for key, value in model.items() if value is not None}
    return OriginalDetector(
        {**model, "yaml_file": name_of(model)},
        _attribute(network, "names"),
        {f"{name}.{own}".lstrip("."): tensor for name, module in modules.items() for own, tensor in _tensors(module)},
        _train_args(network, content),
    )


def _names_in(path: Path) -> list[str]:
    """Return the classes and functions that a file names and torch does not know as harmless."""
    if not hasattr(torch.serialization, "get_unsafe_globals_in_checkpoint"):  # torch before 2.6, refused by the reader
        return []
    try:
        with _no_known_classes():
            return torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # odd bytes raise errors of any kind; whoever reads the file next tells what is wrong
        return []


@contextmanager
def _no_known_classes() -> Iterator[None]:
    """Let torch forget the classes that Ultralytics has named as harmless in this process: all are replaced here."""
    before = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    try:
        yield
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(before)


def _content(path: Path) -> Mapping[str, Any]:
    names = _names_in(path)
    if odd := sorted(name for name in names if not name.startswith(_REPLACED)):
        raise SpaceError(f"weights '{path}' are refused: they name {shown_value(odd[0])}, which no YOLOv5 needs")
    stand_ins: list[Any] = [(type(name.rpartition(".")[2], (_StandIn,), {"home": name}), name) for name in names]
    try:
        with _no_known_classes():
            torch.serialization.add_safe_globals(stand_ins)
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling odd bytes raises errors of any kind; nothing in them was run
        raise SpaceError(f"weights '{path}' are refused: {shown_reason(error)}") from error
    if not isinstance(content, Mapping):
        raise SpaceError(f"weights '{path}' hold a {_kind(content)}; a checkpoint of YOLOv5's train.py is needed")
    return content


def _network(path: Path, content: Mapping[str, Any]) -> Any:
    found = [content.get(name) for name in ("ema", "model")]
    network = next((each for each in found if each is not None), None)
    if not isinstance(network, _StandIn) or _kind(network) not in _NETWORKS:
        raise SpaceError(f"weights '{path}' hold a {_kind(network)} of the YOLOv5 repository; its detectors are read")
    return network


def _walked(path: Path, network: Any) -> Iterator[tuple[str, Any]]:
    """Yield all modules with their names; a damaged file may hold modules that hold each other."""
    count, waiting = 0, [("", network, 0)]
    while waiting:
        name, module, depth = waiting.pop()
        count += 1
        if count > _MOST_MODULES or depth > _DEEPEST:
            raise SpaceError(f"weights '{path}' are refused: their modules lie too deep, or there are too many")
        yield name, module
        inner = _attribute(module, "_modules")
        members = list(inner.items()) if isinstance(inner, Mapping) else []
        for own, child in reversed(members):
            if isinstance(child, _StandIn):
                waiting.append((f"{name}.{own}".lstrip("."), child, depth + 1))


def _check_layers(path: Path, modules: Mapping[str, Any]) -> None:
    """Refuse the networks whose layers are not those of v6.0 to v7.0."""
    kinds = {_kind(module): name for name, module in modules.items() if type(module).home.startswith(HOMES)}
    if older := next((kind for kind in _OLDER if kind in kinds), None):
        raise SpaceError(
            f"weights '{path}' are of YOLOv5 v5.0 or older (layer {older}); v6.0 to v7.0 are read: train anew with one "
            "of these, or here with --model yolov5s-original.yaml"
        )
    for kind, name in kinds.items():
        if kind not in _BLOCKS | {"Detect", *_NETWORKS}:
            raise SpaceError(
                f"weights '{path}' of the YOLOv5 repository hold the layer {name} ({shown(kind, most=40)}), which is "
                f"not read; its detectors of {', '.join(sorted(_BLOCKS))} are"
            )


def _activation(path: Path, modules: Mapping[str, Any]) -> dict[str, Any]:
    """Return the activation of all convolutions as the model YAML has it; nothing for SiLU."""
    found = {_kind(module) for name, module in modules.items() if name.endswith(".act")} - {"Identity"}
    if len(found) > 1 or not found <= _ACTIVATIONS.keys():
        kinds = shown_value(", ".join(sorted(found)))
        raise SpaceError(f"weights '{path}' of YOLOv5 have the activations {kinds}; one of {', '.join(_ACTIVATIONS)}")
    return {"activation": next((_ACTIVATIONS[kind] for kind in found), None)}


def _tensors(module: Any) -> Iterator[tuple[str, Tensor]]:
    passing = _attribute(module, "_non_persistent_buffers_set")
    for kind in ("_parameters", "_buffers"):
        own = _attribute(module, kind)
        for name, tensor in own.items() if isinstance(own, Mapping) else ():
            if isinstance(tensor, Tensor) and not (isinstance(passing, set) and name in passing):
                yield str(name), tensor.detach()


def _train_args(network: Any, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return image size and augmentation of the training, as Ultralytics names them."""
    hyp, options = _attribute(network, "hyp"), content.get("opt")
    found = {name: hyp[name] for name in _AUGMENTATION if name in hyp} if isinstance(hyp, Mapping) else {}
    imgsz = options.get("imgsz") if isinstance(options, Mapping) else None
    return found | ({} if imgsz is None else {"imgsz": imgsz})


def _attribute(module: Any, name: str) -> Any:
    return vars(module).get(name) if isinstance(module, _StandIn) else None


def _kind(value: Any) -> str:
    return type(value).__name__
