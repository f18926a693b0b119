"""The cut networks of all families give the same outputs in onnxruntime as in torch, on real pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import spaces.offline  # noqa: F401  (before ultralytics)
from objectives.export.onnx_file import export_onnx
from objectives.runtimes.ort import open_session
from objectives.runtimes.parity import check_parity
from spaces.networks.deployed import deployed
from spaces.networks.parent import Parent
from tests.spaces.silencing import random_spec
from tests.spaces.trained_look import make_look_trained

pytestmark = pytest.mark.slow

Array = NDArray[np.float32]

PX = 96
TOLERANCE = 1e-4  # of a score, and of the largest coordinate: float32 sums in another order give up to 1e-5


@pytest.fixture(scope="module")
def photographs() -> list[Array]:
    """The photographs that come with Ultralytics and scikit-learn: (3, PX, PX), float32 in [0, 1]."""
    import cv2
    from sklearn.datasets import load_sample_images

    from ultralytics.utils import ASSETS

    found: list[Any] = [
        cv2.cvtColor(cv2.imread(str(ASSETS / name)), cv2.COLOR_BGR2RGB) for name in ("bus.jpg", "zidane.jpg")
    ]
    found += load_sample_images().images
    squares = [cv2.resize(picture, (PX, PX), interpolation=cv2.INTER_AREA) for picture in found]
    return [np.ascontiguousarray(square.transpose(2, 0, 1) / 255, dtype=np.float32) for square in squares]


@pytest.mark.parametrize(
    ("family", "end_to_end"),
    [
        ("yolov5n", False),
        ("yolov8n", False),
        ("yolov9t", False),
        ("yolov10n", False),
        ("yolov10n", True),
        ("yolo11n", False),
        ("yolo12n", False),
        ("yolo26n", False),
        ("yolo26n", True),
    ],
)
def test_onnx_gives_the_outputs_of_torch(
    family: str, end_to_end: bool, photographs: list[Array], tmp_path: Path
) -> None:
    parent = Parent.load(f"{family}.yaml", classes=3, imgsz=PX)
    candidate = parent.build(random_spec(parent, 0.5, seed=5))
    seen = torch.from_numpy(np.stack(photographs))
    make_look_trained(candidate.network, seed=5, images=torch.cat([seen, seen.flip(3)]))
    _steady(candidate.network)
    if end_to_end:
        candidate.network.end2end = True  # type: ignore[assignment]  # stock networks answer by the other branch
    path = export_onnx(candidate, tmp_path / "cut.onnx")

    network, session = deployed(candidate), open_session(path)
    torchs, onnxs = [], []
    for picture in photographs:
        with torch.inference_mode():
            torchs.append(network(torch.from_numpy(picture[None]))[0][0].numpy())
        onnxs.append(session.run(None, {"images": picture[None]})[0][0])
    for ours, theirs in zip(onnxs, torchs, strict=True):
        assert ours.shape == theirs.shape == ((189, 6) if end_to_end else (7, 189))
        assert _distance(ours, theirs) < TOLERANCE
    assert _distance(onnxs[0], torchs[1]) > 100 * TOLERANCE  # another picture
    assert check_parity(candidate, path, photographs).holds


def _steady(network: torch.nn.Module) -> None:
    """Raise variances that are almost 0 in some channels, because only eight images were used.

    In a network as deep as YOLOv9 they amplify torch's own rounding to 4e-4, which no trained network does.
    """
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d) and module.running_var is not None:
            module.running_var.clamp_(min=0.7 * module.running_var.mean().item())


def _distance(ours: Array, theirs: Array) -> float:
    """Largest difference of a score, or of a coordinate as a share of the largest one."""
    largest = np.abs(theirs[:, :4] if _is_end_to_end(theirs) else theirs[:4]).max()
    if not _is_end_to_end(theirs):
        return float(max(np.abs(ours - theirs)[:4].max() / largest, np.abs(ours - theirs)[4:].max()))
    # Detections as a set: those of nearly equal score stand in any order, and the last ones may miss the list.
    scale = np.array([1 / largest] * 4 + [1, 1])
    each = np.abs((ours * scale)[:, None] - (theirs * scale)[None]).max(axis=2)
    sure = [rows[:, 4] > rows[:, 4].min() + TOLERANCE for rows in (ours, theirs)]
    return float(max(each.min(axis=1)[sure[0]].max(), each.min(axis=0)[sure[1]].max()))


def _is_end_to_end(detections: Array) -> bool:
    return bool(detections.shape[-1] == 6)
