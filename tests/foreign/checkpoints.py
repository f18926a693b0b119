"""Checkpoints with a fault, some with the hash that belongs to their JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.foreign.models import small_model
from tests.foreign.texts import DAMAGED_JSON, ESCAPE, bytes_of
from tests.foreign.weights import header


def _checkpoint(architecture: bytes, weights: bytes = b"") -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        folder.mkdir()
        (folder / "architecture.json").write_bytes(architecture)
        (folder / "weights.safetensors").write_bytes(weights)

    return write


def signed(weights: bytes = b"", *, whole: dict[str, Any] | None = None, **changes: Any) -> bytes:
    """Return the JSON of a checkpoint with the hash that belongs to it: anybody can compute it."""
    plain: dict[str, Any] = {
        "format": 2, "model": {**small_model(), "yaml_file": "x.yaml"}, "classes": ["a"], "imgsz": 64,
        "origin": ["parent"], "spec": {"parent": "x", "groups": {}, "dropped": []}, "facts": {},
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
    }  # fmt: skip
    plain = {**(plain if whole is None else whole), **changes}
    plain.pop("hash", None)
    text = (json.dumps(plain, indent=1, sort_keys=True) + "\n").encode()
    plain["hash"] = hashlib.sha256(text).hexdigest()[:32]
    return (json.dumps(plain, indent=1, sort_keys=True) + "\n").encode()


CHANGES: dict[str, dict[str, Any]] = {
    "another parent": {},
    "classes that are a number": {"classes": 5},
    "classes that are lists": {"classes": [[1]]},
    "a model that is a text": {"model": "yolov8n.yaml"},
    "a spec that is a list": {"spec": []},
    "a spec without groups": {"spec": {"parent": ESCAPE}},
    "origin that is a number": {"origin": 1},
    "an image of no size": {"imgsz": 0},
    "a model of code": {"model": {**small_model(activation="__import__('os')"), "yaml_file": "x"}},
    "many classes": {"classes": ["a"] * 100_000, "model": {**small_model(nc=100_000), "yaml_file": "x"}},
}
NO_TENSORS = header({}, b"")

CHECKPOINTS: dict[str, Callable[[Path], None]] = {
    **{f"JSON, {name}": _checkpoint(text) for name, text in DAMAGED_JSON.items()},
    "a wrong hash": _checkpoint(b'{"format": 2, "hash": "x"}'),
    "a format with escape codes": _checkpoint(bytes_of({"format": ESCAPE})),
    "weights that are none": _checkpoint(signed()),
    "weights of garbage": _checkpoint(signed(b"garbage!!"), b"garbage!!"),
    **{f"signed, {name}": _checkpoint(signed(NO_TENSORS, **changes), NO_TENSORS) for name, changes in CHANGES.items()},
}
