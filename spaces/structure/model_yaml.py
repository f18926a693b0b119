"""Finds and reads the YAML of a model: the user's own file, or one of Ultralytics. Nothing is downloaded."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import torch

import spaces.offline  # noqa: F401  (before ultralytics)
from spaces.anchors.rows import stock_model
from spaces.base import SpaceError
from spaces.foreign.plain_yaml import YamlFault, parse_yaml_text, read_yaml_text
from spaces.path_facts import path_fact
from spaces.shown import LONGEST_PATH, shown

# isort: split
from ultralytics.nn import tasks
from ultralytics.nn.tasks import guess_model_scale
from ultralytics.utils import ROOT

_SIZE = re.compile(r"(\d+)([nslmx])(.+)?$")
_WITH_U = re.compile(r"(yolov[35].*)u\.yaml")
_OLD_P6 = re.compile(r"yolov([58])([nsmlx])6")


def read_model_yaml(name: str) -> dict[str, Any]:
    """Return the content of a model's YAML, with its scale and its name as Ultralytics sets them.

    Args:
        name: Path of a YAML, a name of Ultralytics (`yolov8n.yaml`, `yolov8n`), or a size of the original YOLOv5:
            `yolov5n-original.yaml`.

    Raises:
        SpaceError: If there is no such file, or it is no YAML of a model.
    """
    called = shown(name, most=LONGEST_PATH)
    path = Path(name if name.endswith((".yaml", ".yml")) else f"{name}.yaml")
    if old := _OLD_P6.fullmatch(path.stem):
        path = path.with_name(f"yolov{old[1]}{old[2]}-p6{path.suffix}")
    file = _own_file(path)
    if file is None and (original := stock_model(path.stem)):
        return {**original, "yaml_file": path.name}
    file = file or _file_of_ultralytics(path)
    if file is None:
        absent = "there is no such file, and Ultralytics has none of that name"
        fact = path_fact(path) if os.path.lexists(path) else absent
        raise SpaceError(f"no model '{called}': {fact}")
    try:
        content, _ = parse_yaml_text(read_yaml_text(file))
    except YamlFault as error:
        raise SpaceError(f"model '{called}'{error.place}: not plain YAML: {error.problem}") from None
    if not isinstance(content, dict):
        raise SpaceError(f"model '{called}' is no model YAML; it needs the keys backbone and head")
    return {**content, "scale": guess_model_scale(path), "yaml_file": str(path)}


def is_other_code(module: str) -> bool:
    """Return whether a layer's module is a name that Ultralytics knows, but not that of a layer: it would be called."""
    home: Any = torch.nn if module.startswith("nn.") else tasks
    found = getattr(home, module.removeprefix("nn."), None)
    return found is not None and not (isinstance(found, type) and issubclass(found, torch.nn.Module))


def is_known(name: str) -> bool:
    """Return whether a name stands for a model YAML that can be read."""
    try:
        read_model_yaml(name)
    except (SpaceError, OSError):
        return False
    return True


def _own_file(path: Path) -> Path | None:
    try:
        return path if path.is_file() else None
    except (OSError, ValueError):  # a name that no file can have
        return None


def _file_of_ultralytics(path: Path) -> Path | None:
    """Return the file of that name, or of its family: `yolov8.yaml` for `yolov8n.yaml`.

    `yolov5nu.yaml` is another name of `yolov5n.yaml`, after the weights that Ultralytics trained with its own head.
    """
    name = _WITH_U.sub(r"\1.yaml", path.as_posix())
    for wanted in (name, _SIZE.sub(r"\1\3", name)):
        found = [file for name, file in _files_of_ultralytics().items() if f"/{name}".endswith(f"/{wanted}")]
        if len(found) == 1:
            return found[0]
    return None


@cache
def _files_of_ultralytics() -> dict[str, Path]:
    folder = ROOT / "cfg" / "models"
    return {file.relative_to(folder).as_posix(): file for file in sorted(folder.rglob("*.yaml"))}
