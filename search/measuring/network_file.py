"""Read the network that a user gives to `search.bench`: ONNX, weights, a model YAML, a checkpoint, an architecture."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

from search.study.faults import DefinitionError
from spaces.base import Candidate, SpaceError
from spaces.networks.checkpoint import load
from spaces.networks.parent import Parent
from spaces.path_facts import path_fact
from spaces.structure import stock

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
    elif path.suffix in (".yaml", ".yml") or (not os.path.exists(path) and stock.is_known(str(path))):
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
        plain = json.loads(path.read_text(encoding="utf-8"))
        model, size = plain["model"], imgsz or plain.get("imgsz")
        parent = Parent.load(model, classes=plain["classes"], imgsz=size)
        if "spec" in plain:
            kept = {name: group["kept"] for name, group in plain["spec"]["groups"].items()}
            dropped = plain["spec"].get("dropped", ())
        else:
            kept, dropped = plain.get("kept", {}), plain.get("dropped", ())
        return parent.build(parent.spec(kept, dropped=dropped)), parent
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, SpaceError):
            raise
        fault = f"lacks {error}" if isinstance(error, KeyError) else str(error)
        raise DefinitionError(f"'{path}': {fault}; {ARCHITECTURE_EXAMPLE}") from error


def _class_count(model: str) -> int:
    try:
        return stock.class_count(model)
    except SpaceError:
        return CLASSES
