"""Plans and results of another machine with a fault."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from objectives.remote.plan import PackedNetwork, Plan
from spaces.structure.shape import Shape
from tests.foreign.models import small_model
from tests.foreign.texts import DAMAGED_JSON, ESCAPE, Content


def plan() -> Plan:
    """Return a plan of one network."""
    shape = Shape("p" * 32, (16, 32), (), 64)
    reference = PackedNetwork("reference", "reference.onnx", "0" * 64, shape)
    one = PackedNetwork("shape 1", "shape-1.onnx", "1" * 64, shape)
    return Plan(
        study="nas_head", front=False, model=small_model(), classes=1, provider="cpu", precision="fp32", imgsz=64,
        batch=1, threads=1, compared_with="yolov8n 0f3a", calibration="", reference=reference, networks=(one,),
    )  # fmt: skip


def results() -> dict[str, Any]:
    """Return results of that plan as another machine writes them."""
    block = [[0.01, 0.011], [0.01, 0.011]]
    target = {
        "runtime": "onnxruntime", "provider": "cpu", "precision": "fp32", "imgsz": 64, "batch": 1, "threads": 1,
        "device": "a board", "engine": "onnxruntime 1.0", "reference": "yolov8n 0f3a",
    }  # fmt: skip
    quiet: dict[str, Any] = {"others_busy": 0.0, "mhz": None, "celsius": None, "foreign": [], "slow": False}
    alone = {"loadings": [[[block], []]] * 3, "cpu_seconds": 1.0, "slow_s": None, "circumstances": quiet}
    timed = {**alone, "loadings": [[[block, block], [block]]] * 3}
    return {
        "format": 1, "plan": plan().key, "target": target, "reference": alone, "networks": {"shape 1": timed},
        "failed": {}, "begun": {},
    }  # fmt: skip


def _changed_at(place: str, value: Any) -> dict[str, Any]:
    changed = json.loads(json.dumps(results()))
    *path, last = [int(part) if part.isdigit() else part for part in place.split(".")]
    inner = changed
    for part in path:
        inner = inner[part]
    inner[last] = value
    return dict(changed)


RESULTS: dict[str, Content] = {
    **DAMAGED_JSON,
    "another plan": {**results(), "plan": ESCAPE},
    "another format": {**results(), "format": [1]},
    "no target": {**results(), "target": None},
    "a target with escape codes": _changed_at("target.provider", [ESCAPE]),
    "a target with more": _changed_at("target.more", 1),
    "threads that are a text": _changed_at("target.threads", "x"),
    "an image size that is a list": _changed_at("target.imgsz", [64]),
    "a network that is not in the plan": _changed_at("networks", {ESCAPE: results()["reference"]}),
    "times that are texts": _changed_at("reference.loadings.0.0.0.0", ["x", "y"]),
    "times below zero": _changed_at("reference.loadings.0.0.0.0", [-1.0, 1.0]),
    "times of a year": _changed_at("reference.loadings.0.0.0.0", [1e9, 1e9]),
    "times that are numbers": _changed_at("reference.loadings", 5),
    "loadings of nothing": _changed_at("reference.loadings", []),
    "a loading of three": _changed_at("reference.loadings.0", [[], [], []]),
    "seconds that are a text": _changed_at("reference.cpu_seconds", "x"),
    "circumstances that are a list": _changed_at("reference.circumstances", [1]),
    "circumstances with more": _changed_at("reference.circumstances.more", 1),
    "reasons that are numbers": _changed_at("failed", {"shape 1": 5}),
    "tries that are texts": _changed_at("begun", {"shape 1": "x"}),
    "networks that are a list": _changed_at("networks", [1]),
}

PLANS: dict[str, Content] = {
    **DAMAGED_JSON,
    "no key": {"format": 1},
    "networks that are a number": {"format": 1, "key": "x", "networks": 5},
    "a changed key": {**json.loads(plan().as_text()), "key": ESCAPE},
    "a file elsewhere": {**json.loads(plan().as_text()), "reference": {"file": "../../x"}},
    "more than it has": {**json.loads(plan().as_text()), "owned": 1},
}


def pack_writer(plan_text: bytes, results_text: bytes) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        folder.mkdir()
        (folder / "plan.json").write_bytes(plan_text)
        (folder / "results.json").write_bytes(results_text)

    return write
