"""Finds and reads the YAML of a model: the user's own file, or one of Ultralytics. Nothing is downloaded."""

from __future__ import annotations

from typing import Any

import torch

import spaces.offline  # noqa: F401  (before ultralytics)
from spaces.anchors.rows import stock_model
from spaces.base import SpaceError
from spaces.foreign.plain_yaml import YamlFault, parse_yaml_text, read_yaml_text
from spaces.model_files import about_absent, find_model
from spaces.shown import LONGEST_PATH, shown

# isort: split
from ultralytics.nn import tasks
from ultralytics.nn.tasks import guess_model_scale


def read_model_yaml(name: str) -> dict[str, Any]:
    """Return the content of a model's YAML, with its scale and its name as Ultralytics sets them.

    Args:
        name: Path of a YAML, a name of Ultralytics (`yolov8n.yaml`, `yolov8n`), or a size of the original YOLOv5:
            `yolov5n-original.yaml`.

    Raises:
        SpaceError: If there is no such file, or it is no YAML of a model.
    """
    called = shown(name, most=LONGEST_PATH)
    path, file = find_model(name)
    if file is None and (original := stock_model(path.stem)):
        return {**original, "yaml_file": path.name}
    if file is None:
        raise SpaceError(about_absent(name, path))
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
