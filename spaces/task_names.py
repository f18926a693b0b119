"""Names of tasks, and the task of a model or of a weights file, told without torch and without loading any network."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from spaces.foreign.plain_json import parse_json
from spaces.foreign.plain_yaml import YamlFault, parse_yaml_text, read_yaml_text

DETECTING = "detect"
"""Task of a detector of boxes, as Ultralytics names it."""

HEAD_TASKS: Mapping[str, str] = MappingProxyType(
    {
        "Detect": DETECTING,
        "v10Detect": DETECTING,
        "Segment": "segment",
        "Segment26": "segment",
        "Pose": "pose",
        "Pose26": "pose",
        "OBB": "obb",
        "OBB26": "obb",
        "Classify": "classify",
    }
)
"""Task of each head that can be cut, by its class in a model YAML."""

NETWORK_TASKS: Mapping[str, str] = MappingProxyType(
    {
        "DetectionModel": DETECTING,
        "SegmentationModel": "segment",
        "PoseModel": "pose",
        "OBBModel": "obb",
        "ClassificationModel": "classify",
    }
)
"""Task of each of Ultralytics' classes of networks."""

_SUFFIXES = {"seg": "segment", "pose": "pose", "obb": "obb", "cls": "classify"}
_IN_NAME = re.compile(r"-(seg|pose|obb|cls)(?=-|$)")
_CLASS = re.compile(rb"ultralytics\.nn\.tasks\n(\w+)\n")
_MOST_BYTES = 64 * 1024**2


def told_task(model: str | None, weights: str | None) -> str:
    """Return the task of a parent as its files tell it; `detect` where they do not.

    Args:
        model: Name or path of a model YAML.
        weights: Path of a `.pt` or of one of our checkpoint folders, which count first.
    """
    of_weights = None if weights is None else _of_weights(Path(weights))
    return of_weights or (None if model is None else _of_model(model)) or DETECTING


def _of_weights(path: Path) -> str | None:
    try:
        if (path / "architecture.json").is_file():
            return _of_yaml(parse_json((path / "architecture.json").read_text(encoding="utf-8"), str(path))["model"])
        with zipfile.ZipFile(path) as archive:
            entry = next(each for each in archive.infolist() if each.filename.endswith("data.pkl"))
            content = archive.read(entry) if entry.file_size <= _MOST_BYTES else b""
    except (OSError, ValueError, LookupError, TypeError, StopIteration, RuntimeError, zipfile.BadZipFile, zlib.error):
        return None  # whoever loads it tells what is wrong with it
    classes = [match[1].decode() for match in _CLASS.finditer(content)]
    return next((NETWORK_TASKS[name] for name in classes if name in NETWORK_TASKS), None)


def _of_model(model: str) -> str | None:
    path = Path(model)
    if path.is_file():
        try:
            return _of_yaml(parse_yaml_text(read_yaml_text(path))[0])
        except (OSError, YamlFault):
            return None
    named = _IN_NAME.search(path.stem)
    return _SUFFIXES[named[1]] if named else None


def _of_yaml(content: Any) -> str | None:
    try:
        return HEAD_TASKS.get(content["head"][-1][2])
    except (LookupError, TypeError):
        return None
