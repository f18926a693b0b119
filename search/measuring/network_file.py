"""Read the network that a user gives to `search.bench`: ONNX, weights, a model YAML, a checkpoint, an architecture."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from search.study.faults import DefinitionError
from spaces.base import MOST_CLASSES, Candidate, SpaceError
from spaces.foreign.plain_json import Fields, ForeignError, read_json_file
from spaces.networks.checkpoint import load
from spaces.networks.parent import Parent
from spaces.path_facts import path_fact
from spaces.structure import stock
from spaces.structure.model_yaml import is_known

CLASSES = 80
"""Number of classes where nothing else is known: that of COCO."""
FILE_KINDS = ".onnx, .json, .pt, .safetensors, .yaml or a checkpoint's folder"
ARCHITECTURE_EXAMPLE = (
    """an architecture is JSON: {"model": "yolov8n.yaml", "classes": 80, "imgsz": 640, "kept": {"model.1": 24}}"""
)


def read_network(path: Path, imgsz: int | None) -> tuple[Candidate, Parent]:
    """Return the network that a file or folder describes, and the untrained parent that it was cut from.

    Args:
        imgsz: Image size in px; by default the file's own, or 640.

    Raises:
        DefinitionError: If the file is of no known kind, or an architecture is wrong.
        SpaceError: If weights, checkpoint or model cannot be read.
    """
    if os.path.isdir(path):
        candidate, parent = _from_checkpoint(path)
    elif path.suffix in (".yaml", ".yml") or (not os.path.exists(path) and is_known(str(path))):
        parent = Parent.load(str(path), classes=_class_count(str(path)), imgsz=imgsz)
        candidate = parent.candidate()
    elif not os.path.isfile(path):
        raise DefinitionError(f"there is no network '{path}': {path_fact(path)}; give {FILE_KINDS}")
    elif path.suffix in (".pt", ".safetensors"):
        parent = Parent.load(weights=path)
        candidate = parent.candidate()
    elif path.suffix == ".json":
        candidate, parent = _from_architecture(path, imgsz)
    else:
        raise DefinitionError(f"'{path}' is of no known kind; give {FILE_KINDS}")
    return candidate if imgsz is None else replace(candidate, imgsz=imgsz), parent


def _from_checkpoint(folder: Path) -> tuple[Candidate, Parent]:
    candidate = load(folder)
    return candidate, Parent.of(candidate)


def _from_architecture(path: Path, imgsz: int | None) -> tuple[Candidate, Parent]:
    """Read the `architecture.json` of a checkpoint, or an architecture that was written by hand."""
    try:
        plain = Fields.of(read_json_file(path), f"'{path}'")
        model, classes = plain.raw("model"), plain.raw("classes")
        size = imgsz or (plain.whole("imgsz", low=1, high=10**5) if "imgsz" in plain else None)
        named = model if isinstance(model, str) else plain.inner("model").values
        counted = (
            plain.whole("classes", low=1, high=MOST_CLASSES) if isinstance(classes, int) else plain.texts("classes")
        )
        kept, dropped = _kept(plain.inner("spec") if "spec" in plain else plain)
    except ForeignError as error:
        raise DefinitionError(f"{error}; {ARCHITECTURE_EXAMPLE}") from error
    parent = Parent.load(named, classes=counted, imgsz=size)
    return parent.build(parent.spec(kept, dropped=dropped)), parent


def _kept(plain: Fields) -> tuple[dict[str, Sequence[int] | int], tuple[str, ...]]:
    """Return kept channels by group, or their number, and the dropped bottlenecks."""
    kept: dict[str, Sequence[int] | int] = {}
    if "groups" in plain:
        kept = {name: group.wholes("kept") for name, group in plain.inner("groups").items()}
    elif "kept" in plain:
        given = plain.inner("kept")
        kept = {
            name: given.whole(name) if isinstance(one, int) else given.wholes(name)
            for name, one in given.values.items()
        }
    return kept, plain.texts("dropped") if "dropped" in plain else ()


def _class_count(model: str) -> int:
    try:
        return stock.class_count(model)
    except SpaceError:
        return CLASSES
