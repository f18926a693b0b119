"""Reads a user's weights without running anything that they contain: `.pt`, safetensors, our own checkpoints."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from spaces.base import MOST_CLASSES, SpaceError
from spaces.foreign.plain_json import Fields, parse_json
from spaces.networks.checkpoint import facts_of, load
from spaces.networks.pt_file import as_detectors, detector_in, read_pt, tensors_in
from spaces.networks.tensor_file import float32, read_tensor_file
from spaces.networks.yolov5_file import PRUNED, is_original, read_original
from spaces.path_facts import path_fact
from spaces.shown import shown_reason, shown_value
from spaces.structure.model_yaml import is_known
from spaces.structure.module_facts import module_facts

ModelYaml = str | Mapping[str, Any]
Classes = int | Sequence[str] | Mapping[int, str]
"""Number of classes, their names in order, or names by number as Ultralytics has them."""

MOST_ELEMENTS = 2 * 10**8
"""Maximum number of elements of a network's tensors: twice those of the largest detector."""
_SIZE = re.compile(r"[1-9][0-9]{1,4}")
"""An image size in px, as text."""
_COUNT = re.compile(r"[0-9]{1,6}")


@dataclass(frozen=True)
class WeightsFile:
    """Content of a weights file.

    Attributes:
        model: The architecture: an Ultralytics YAML name or its content; None where the file has none.
        classes: Class names by number; None where the file has none.
        train_args: Arguments of the training that made it, as Ultralytics names them; empty where unknown.
        state: Its tensors, floating ones in float32, by their names in `DetectionModel.state_dict()`.
        imgsz: Image size in px it was trained for; None where unknown.
        modules: Kind and settings of its modules by path, as `module_facts`; empty where the file has none.
    """

    path: Path
    model: ModelYaml | None
    classes: tuple[str, ...] | None
    state: Mapping[str, Tensor] = field(repr=False)
    train_args: Mapping[str, Any] = field(default_factory=dict)
    imgsz: int | None = None
    modules: Mapping[str, str] = field(default_factory=dict, repr=False)


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
    file = read_tensor_file(path)
    facts = {name: _json(path, file.metadata, name) for name in ("classes", "names", "train_args")}
    imgsz = file.metadata.get("imgsz", "")
    if imgsz.isdigit() and not _SIZE.fullmatch(imgsz):
        raise SpaceError(f"weights '{path}': metadata 'imgsz' is {shown_value(imgsz)}; it must be a number of px")
    return WeightsFile(
        path,
        _architecture(path, file.metadata),
        _class_names(path, facts["classes"] or facts["names"]),
        file.state,
        {} if facts["train_args"] is None else Fields.of(facts["train_args"], f"weights '{path}': train_args").values,
        int(imgsz) if _SIZE.fullmatch(imgsz) else None,
    )


def _architecture(path: Path, metadata: Mapping[str, str]) -> ModelYaml | None:
    """Return the architecture in the metadata: a YAML's name or, as JSON, its content; None if absent."""
    for key in ("model", "architecture", "name"):
        value = metadata.get(key, "")
        if value.startswith("{"):
            return Fields.of(_json(path, metadata, key), f"weights '{path}': metadata '{key}'").values
        if value and is_known(value):
            return value
    return None


def _json(path: Path, metadata: Mapping[str, str], key: str) -> Any:
    return parse_json(metadata[key], f"weights '{path}': metadata '{key}'") if key in metadata else None


def _read_pt(path: Path) -> WeightsFile:
    if is_original(path):
        read = read_original(path)
        names, size = _class_names(path, read.names), _size(read.train_args)
        return WeightsFile(path, read.model, names, _copied(path, read.state), read.train_args, size)
    content = read_pt(path)
    model: Any = detector_in(path, content)
    train_args = content.get("train_args")
    train_args = {str(name): value for name, value in train_args.items()} if isinstance(train_args, Mapping) else {}
    size = _size(train_args)
    if model is None:
        state = as_detectors(path, tensors_in(content) or {})
        names = _class_names(path, content.get("names"))
        return WeightsFile(path, None, names, _copied(path, state), train_args, size)
    yaml = getattr(model, "yaml", None)
    if not isinstance(yaml, Mapping):
        raise SpaceError(f"weights '{path}' do not say how their network is built: its YAML is {shown_value(yaml)}")
    if PRUNED in yaml:
        raise SpaceError(f"weights '{path}' hold a pruned network; a parent must be whole")
    names = _class_names(path, getattr(model, "names", None))
    return WeightsFile(path, dict(yaml), names, _state_of(path, model), train_args, size, module_facts(model))


def _size(train_args: Mapping[str, Any]) -> int | None:
    imgsz = train_args.get("imgsz")
    usual = isinstance(imgsz, int) and not isinstance(imgsz, bool) and 0 < imgsz < 10**5
    return imgsz if usual else None


def _state_of(path: Path, model: Any) -> dict[str, Tensor]:
    """Return the tensors of a network that was unpickled: its attributes may be missing, or of any kind."""
    try:
        return _copied(path, model.state_dict())
    except SpaceError:
        raise
    except Exception as error:  # torch takes the attributes of its modules for granted
        raise SpaceError(f"weights '{path}' hold a network that is damaged: {shown_reason(error)}") from error


def _class_names(path: Path, names: Any) -> tuple[str, ...] | None:
    """Return names of classes by number, from a list or from a mapping whose keys are the numbers; None for none."""
    if isinstance(names, Mapping):
        by_number = {key if isinstance(key, int) else _number(key): name for key, name in names.items()}
        if set(by_number) != set(range(len(names))):
            raise SpaceError(f"weights '{path}': the classes are not numbered from 0 to {len(names) - 1}")
        names = [by_number[number] for number in range(len(names))]
    if not isinstance(names, list | tuple):
        return None
    if any(not isinstance(name, str | int | float) for name in names):
        raise SpaceError(f"weights '{path}': a class name is no text")
    return tuple(map(str, names)) or None


def _copied(path: Path, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return copies of a network's tensors; a view can claim many times the elements that the file holds."""
    claimed = sum(tensor.numel() for tensor in state.values())
    if claimed > MOST_ELEMENTS:
        raise SpaceError(f"weights '{path}' are refused: their tensors claim {claimed:,} elements")
    return {name: float32(tensor) for name, tensor in state.items()}


def _number(key: Any) -> int | None:
    return int(key) if isinstance(key, str) and _COUNT.fullmatch(key) else None
