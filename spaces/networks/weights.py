"""Reads a user's weights without running anything that they contain: `.pt`, safetensors, our own checkpoints."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

import spaces.offline  # noqa: F401  (before ultralytics)
from spaces.base import MOST_CLASSES, SpaceError
from spaces.networks.checkpoint import facts_of, load
from spaces.networks.pt_archive import check_archive
from spaces.path_facts import path_fact
from spaces.structure.stock import is_known

# isort: split
from ultralytics.nn.tasks import DetectionModel, torch_safe_load

ModelYaml = str | Mapping[str, Any]
Classes = int | Sequence[str] | Mapping[int, str]
"""Number of classes, their names in order, or names by number as Ultralytics has them."""

MOST_ELEMENTS = 2**30
"""Maximum number of elements of a network's tensors: ten times those of the largest detector."""

PRUNED = "pruned"
"""Key in the model YAML of a `.pt` whose network was cut: the YAML is that of its parent."""


@dataclass(frozen=True)
class WeightsFile:
    """Content of a weights file.

    Attributes:
        model: The architecture: an Ultralytics YAML name or its content; None where the file has none.
        classes: Class names by number; None where the file has none.
        train_args: Arguments of the training that made it, as Ultralytics names them; empty where unknown.
        state: Its tensors, floating ones in float32, by their names in `DetectionModel.state_dict()`.
        imgsz: Image size in px it was trained for; None where unknown.
    """

    path: Path
    model: ModelYaml | None
    classes: tuple[str, ...] | None
    state: Mapping[str, Tensor] = field(repr=False)
    train_args: Mapping[str, Any] = field(default_factory=dict)
    imgsz: int | None = None


def class_names(classes: Classes) -> tuple[str, ...]:
    """Return the names of classes in order; for a count, the numbers as names.

    Raises:
        SpaceError: If there is none, or it is neither a count nor names.
    """
    if isinstance(classes, Mapping):
        classes = [classes[number] for number in sorted(classes)]
    if isinstance(classes, bool | str) or not isinstance(classes, int | Sequence):
        raise SpaceError(f"classes are {classes!r}; give their count, or their names in order")
    count = classes if isinstance(classes, int) else len(classes)
    if count > MOST_CLASSES:
        raise SpaceError(f"there are {count} classes; at most {MOST_CLASSES} are possible")
    names = tuple(map(str, range(classes) if isinstance(classes, int) else classes))
    if not names:
        raise SpaceError("a detector needs at least one class")
    return names


def read_weights(path: str | Path) -> WeightsFile:
    """Read weights from an Ultralytics `.pt`, a `.safetensors` file or a folder that `checkpoint.save` wrote.

    Raises:
        SpaceError: If there is no such file, it is of another kind, or it holds more than a detector.
    """
    path = Path(path)
    if os.path.isdir(path):
        return _read_checkpoint(path)
    if not os.path.isfile(path):
        raise SpaceError(f"no weights at '{path}': {path_fact(path)}")
    readers = {".pt": _read_pt, ".safetensors": _read_safetensors}
    if path.suffix not in readers:
        raise SpaceError(f"weights '{path}' are of the kind '{path.suffix}'; .pt and .safetensors can be read")
    return readers[path.suffix](path)


def _read_checkpoint(folder: Path) -> WeightsFile:
    candidate = load(folder)
    network: Any = candidate.network
    if not candidate.spec.is_whole:
        share, dropped = f"{candidate.spec.channel_ratio:.0%}", len(candidate.spec.dropped)
        raise SpaceError(
            f"checkpoint '{folder}' keeps {share} of its parent's channels and drops {dropped} of its bottlenecks; "
            "a parent must be whole"
        )
    recipe = facts_of(folder).get("recipe")
    train_args = recipe if isinstance(recipe, Mapping) else {}
    return WeightsFile(folder, dict(network.yaml), candidate.classes, network.state_dict(), train_args, candidate.imgsz)


def _read_safetensors(path: Path) -> WeightsFile:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {name: _float32(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, OSError, ValueError) as error:
        raise SpaceError(f"weights '{path}' cannot be read: {error}") from error
    imgsz = metadata.get("imgsz", "")
    return WeightsFile(
        path,
        _architecture(path, metadata),
        _class_names(_json(path, metadata, "classes") or _json(path, metadata, "names")),
        state,
        _json(path, metadata, "train_args") or {},
        int(imgsz) if imgsz.isdigit() else None,
    )


def _architecture(path: Path, metadata: Mapping[str, str]) -> ModelYaml | None:
    """Return the architecture in the metadata: a YAML's name or, as JSON, its content; None if absent."""
    for key in ("model", "architecture", "name"):
        value = metadata.get(key, "")
        if value.startswith("{"):
            content: dict[str, Any] = _json(path, metadata, key)
            return content
        if value and is_known(value):
            return value
    return None


def _json(path: Path, metadata: Mapping[str, str], key: str) -> Any:
    try:
        return json.loads(metadata[key]) if key in metadata else None
    except ValueError:
        raise SpaceError(f"weights '{path}': metadata '{key}' is not JSON: {metadata[key][:60]!r}") from None


def _read_pt(path: Path) -> WeightsFile:
    content = _load_pt(path)
    model: Any = content.get("ema") or content.get("model")
    if type(model) is not DetectionModel:
        raise SpaceError(f"weights '{path}' hold a {type(model).__name__}; a DetectionModel is needed")
    if PRUNED in model.yaml:
        raise SpaceError(f"weights '{path}' hold a pruned network; a parent must be whole")
    train_args = content.get("train_args")
    train_args = dict(train_args) if isinstance(train_args, Mapping) else {}
    imgsz = train_args.get("imgsz")
    return WeightsFile(
        path,
        dict(model.yaml),
        _class_names(getattr(model, "names", None)),
        _copied(path, model.state_dict()),
        train_args,
        imgsz if isinstance(imgsz, int) else None,
    )


def _load_pt(path: Path) -> Mapping[str, Any]:
    if not hasattr(torch.serialization, "get_unsafe_globals_in_checkpoint"):  # torch before 2.6
        raise SpaceError(f"weights '{path}': torch {torch.__version__} cannot load a .pt safely; 2.6 or newer can")
    check_archive(path)  # else the unpickler reads any bytes, and may raise any error
    try:
        content, _ = torch_safe_load(path, safe_only=True)
    except ModuleNotFoundError as error:
        raise SpaceError(f"weights '{path}' need the module '{error.name}'; only stock detectors are read") from error
    except (TypeError, AttributeError, RuntimeError, ValueError, LookupError, EOFError) as error:
        raise SpaceError(f"weights '{path}' are refused: {_reason(error)}") from error
    if not isinstance(content, Mapping):
        raise SpaceError(f"weights '{path}' hold a {type(content).__name__}, not an Ultralytics checkpoint")
    return content


def _reason(error: BaseException) -> str:
    """Return the one line of torch's message that names what was not allowed, else the first line."""
    cause = error.__cause__ or error
    lines = str(cause).splitlines() or [type(cause).__name__]
    return next((line.strip() for line in lines if "Unsupported" in line or "GLOBAL" in line), lines[0])


def _class_names(names: Any) -> tuple[str, ...] | None:
    if isinstance(names, Mapping):
        return tuple(str(names[key]) for key in sorted(names, key=int)) or None
    if isinstance(names, list | tuple):
        return tuple(map(str, names)) or None
    return None


def _copied(path: Path, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return copies of a network's tensors; a view can claim many times the elements that the file holds."""
    claimed = sum(tensor.numel() for tensor in state.values())
    if claimed > MOST_ELEMENTS:
        raise SpaceError(f"weights '{path}' are refused: their tensors claim {claimed:,} elements")
    return {name: _float32(tensor) for name, tensor in state.items()}


def _float32(tensor: Tensor) -> Tensor:
    return tensor.detach().to(torch.float32, copy=True) if tensor.is_floating_point() else tensor.detach().clone()
