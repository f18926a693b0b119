"""The task of a parent is told from its files, without loading them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from spaces.networks import checkpoint
from spaces.networks.parent import Parent
from spaces.task_names import told_task


@pytest.mark.parametrize(
    ("model", "task"),
    [
        ("yolov8n.yaml", "detect"),
        ("yolo11n-seg.yaml", "segment"),
        ("yolo26s-pose.yaml", "pose"),
        ("yolov8m-obb.yaml", "obb"),
        ("yolo11n-cls.yaml", "classify"),
        ("yolov8n-seg-p6.yaml", "segment"),
        ("segments.yaml", "detect"),
        (None, "detect"),
    ],
)
def test_a_stock_model_has_its_task_in_its_name(model: str | None, task: str) -> None:
    assert told_task(model, None) == task


def test_a_model_in_a_file_has_the_task_of_its_last_layer(tmp_path: Path) -> None:
    file = tmp_path / "mine-pose.yaml"
    file.write_text("backbone: []\nhead:\n- [[1], 1, Segment26, [nc, 32, 256]]\n", encoding="utf-8")
    assert told_task(str(file), None) == "segment"


def test_weights_count_before_the_model(tmp_path: Path) -> None:
    parent = Parent.load("yolov8n-cls.yaml", classes=2, imgsz=32)
    network: Any = parent.candidate().network
    torch.save({"model": network, "ema": None}, tmp_path / "best.pt")
    checkpoint.save(parent.candidate(), tmp_path / "folder")
    for weights in ("best.pt", "folder"):
        assert told_task("yolov8n.yaml", str(tmp_path / weights)) == "classify"


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04damaged", b"\x80\x02}q\x00."])
def test_weights_that_tell_nothing_leave_it_to_the_model(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "odd.pt").write_bytes(content)
    assert told_task("yolo11n-seg.yaml", str(tmp_path / "odd.pt")) == "segment"
    assert told_task("yolo11n-seg.yaml", str(tmp_path / "absent.pt")) == "segment"
