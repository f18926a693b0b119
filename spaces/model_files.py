"""Files of model YAML by the names that people write, found without importing torch or Ultralytics."""

from __future__ import annotations

import importlib.util
import os
import re
from functools import cache
from pathlib import Path

from spaces.anchors.rows import stock_model
from spaces.base import SpaceError
from spaces.path_facts import path_fact
from spaces.shown import LONGEST_PATH, shown

_SIZE = re.compile(r"(\d+)([nslmx])(.+)?$")
_WITH_U = re.compile(r"(yolov[35].*)u\.yaml")
_OLD_P6 = re.compile(r"yolov([58])([nsmlx])6")


def find_model(name: str) -> tuple[Path, Path | None]:
    """Return the file name that a model's name stands for, and the file; None if there is none.

    Args:
        name: Path of a YAML, or a name of Ultralytics (`yolov8n.yaml`, `yolov8n`).
    """
    path = Path(name if name.endswith((".yaml", ".yml")) else f"{name}.yaml")
    if old := _OLD_P6.fullmatch(path.stem):
        path = path.with_name(f"yolov{old[1]}{old[2]}-p6{path.suffix}")
    file = _own_file(path)
    if file is None and not stock_model(path.stem):
        file = _file_of_ultralytics(path)
    return path, file


def require_model(name: str) -> None:
    """Check that a model's name stands for a YAML, or for a size of the original YOLOv5.

    Raises:
        SpaceError: If it does not.
    """
    path, file = find_model(name)
    if file is None and not stock_model(path.stem):
        raise SpaceError(about_absent(name, path))


def about_absent(name: str, path: Path) -> str:
    """Return the message for a model that cannot be read.

    Args:
        path: File name that its name stands for.
    """
    absent = "there is no such file, and Ultralytics has none of that name"
    fact = path_fact(path) if os.path.lexists(path) else absent
    return f"no model '{shown(name, most=LONGEST_PATH)}': {fact}"


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
    package = importlib.util.find_spec("ultralytics")
    folders = [] if package is None else list(package.submodule_search_locations or ())
    models = [Path(folder) / "cfg" / "models" for folder in folders]
    return {file.relative_to(folder).as_posix(): file for folder in models for file in sorted(folder.rglob("*.yaml"))}
