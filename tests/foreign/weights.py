"""Weights files with a fault: safetensors and `.pt`."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from typing import Any

import torch

import spaces.offline  # noqa: F401  (before ultralytics)
from tests.foreign.models import small_model
from tests.foreign.texts import DEEP, ESCAPE

# isort: split
from ultralytics.nn.tasks import DetectionModel


def header(head: Any, body: bytes = b"\0" * 4, *, size: int | None = None) -> bytes:
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + body


X = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}


def _facts(**metadata: Any) -> bytes:
    return header({"__metadata__": metadata, "x": X})


TENSOR_FILES: dict[str, bytes] = {
    "a header without end": header({"x": X}, size=2**62),
    "a header longer than the file": header({"x": X}, size=10**6),
    "a header of no JSON": header(b"{nonsense}"),
    "a header that is nested": header(b"[" * DEEP + b"]" * DEEP),
    "a header that is a list": header([]),
    "a tensor that is a number": header({"x": 1}),
    "a tensor without a type": header({"x": {"shape": [1]}}),
    "dtype F4": header({"x": {"dtype": "F4", "shape": [2], "data_offsets": [0, 1]}}, b"\0"),
    "dtype with escape codes": header({"x": {**X, "dtype": ESCAPE}}),
    "a tensor beyond the file": header({"x": {**X, "shape": [10**6], "data_offsets": [0, 4 * 10**6]}}),
    "a tensor of 2**60 numbers": header({"x": {**X, "shape": [2**60], "data_offsets": [0, 4]}}),
    "a shape below zero": header({"x": {**X, "shape": [-1]}}),
    "a shape of texts": header({"x": {**X, "shape": ["a"]}}),
    "tensors that overlap": header({"x": X, "y": X}),
    "a tensor's name with escape codes": header(
        {"__metadata__": {"model": "yolov8n.yaml", "classes": '["a"]'}, ESCAPE + "x": X}
    ),
    "metadata that is a list": header({"__metadata__": [], "x": X}),
    "metadata of numbers": header({"__metadata__": {"imgsz": 5}, "x": X}),
    "imgsz superscript two": _facts(imgsz="\u00b2", model="yolov8n.yaml"),
    "imgsz of 5000 digits": _facts(imgsz="9" * 5000),
    "classes nested": _facts(classes="[" * DEEP + "]" * DEEP),
    "classes that are lists": _facts(classes="[[1]]", model="yolov8n.yaml"),
    "classes by texts": _facts(classes='{"a": "b"}', model="yolov8n.yaml"),
    "classes by numbers with gaps": _facts(names='{"0": "a", "7": "b"}', model="yolov8n.yaml"),
    "train_args that are a list": _facts(train_args="[1]", model="yolov8n.yaml"),
    "a model of no JSON": _facts(model="{nonsense", classes='["a"]'),
    "a model of nothing": _facts(model="{}", classes='["a"]'),
    "a model with escape codes": _facts(model=json.dumps({"yaml_file": ESCAPE, "backbone": 1}), classes='["a"]'),
    "a model that is a megabyte": _facts(model="a" * 2**20, classes='["a"]'),
    "no model": header({"x": X}),
}


def _pt(content: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


class Calls:
    """An object that would run a command when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, ("touch owned",)


def _zip(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    return buffer.getvalue()


def _changed(**attributes: Any) -> bytes:
    network = DetectionModel("yolov8n.yaml", nc=1, verbose=False)
    network.names = {0: "a"}
    for name, value in attributes.items():
        setattr(network, name, value)
    return _pt({"model": network.half()})


def pt_files() -> dict[str, bytes]:
    """Return `.pt` files; making them takes a second."""
    good = _changed()
    small = DetectionModel(small_model(), verbose=False)
    small.names = {0: "a"}
    return {
        "small": _pt({"model": small}),
        "no YAML": _changed(yaml=None),
        "a YAML that is a text": _changed(yaml="x"),
        "a YAML of nothing": _changed(yaml={}),
        "names by texts": _changed(names={"a": "b"}),
        "names with gaps": _changed(names={0: "a", 9: "b"}),
        "names of lists": _changed(names=[[1]]),
        "a text": _pt("x"),
        "a list": _pt([1, 2]),
        "tensors alone": _pt({"a": torch.zeros(2)}),
        "a model that is a text": _pt({"model": ESCAPE}),
        "a model that is another module": _pt({"model": torch.nn.Linear(1, 1)}),
        "code": _pt({"model": Calls()}),
        "a bare pickle": pickle.dumps({"model": 1}),
        "a bare pickle with code": pickle.dumps(Calls()),
        "cut in the middle": good[: len(good) // 2],
        "cut at the end": good[:-100],
        "changed bytes": good[:300] + bytes(byte ^ 0x55 for byte in good[300:400]) + good[400:],
        "an empty archive": _zip(),
        "an archive of another program": _zip(readme=b"hello"),
        "an archive with a broken pickle": _zip(a__data__pkl=b"\x80\x02]q\x00(", a__version=b"3\n"),
        "an archive that names other places": _zip(**{"..__..__owned": b"x", "a__data__pkl": b"\x80\x02N."}),
    }
