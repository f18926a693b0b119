"""A detector of the YOLOv5 repository: its file is read without its code, and it computes what the original does."""

from __future__ import annotations

import copy
import json
import os
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from spaces.anchors.anchor_head import class_scores
from spaces.base import SpaceError
from spaces.networks import checkpoint
from spaces.networks.parent import Parent
from spaces.structure import stock
from tests.spaces.anchors.small_yolov5 import CLASSES, MODEL, PX, STORED, fill, images, objects
from tests.spaces.silencing import TOLERANCE, differences, random_spec, randomise_batchnorm, rolled

NAMES = ("red", "green", "blue")


@pytest.fixture(scope="module")
def small() -> Any:
    """The small network of the formulas, in float64."""
    model = stock.resolve({**copy.deepcopy(MODEL), "yaml_file": "yolov5-custom.yaml"}, CLASSES)
    network = stock.build(model, NAMES, PX, seed=0).double()
    fill(network)
    return network


@pytest.fixture(scope="module")
def original() -> dict[str, Any]:
    """Outputs of the original network with it."""
    return dict(json.loads(STORED.read_text(encoding="utf-8")))


def test_outputs_are_those_of_the_original(small: Any, original: dict[str, Any]) -> None:
    with torch.no_grad():
        decoded, raw = small(images())
    assert decoded.shape == (2, 3 * (8 * 8 + 4 * 4 + 2 * 2), 5 + CLASSES)
    assert [tuple(level.shape) for level in raw] == [(2, 3, size, size, 5 + CLASSES) for size in (8, 4, 2)]
    expected = torch.tensor(original["decoded"], dtype=torch.float64)
    assert (decoded.flatten()[::7] - expected).abs().max() < 1e-9


def test_loss_and_gradients_are_those_of_the_original(small: Any, original: dict[str, Any]) -> None:
    network = copy.deepcopy(small)
    network.model[-1].training = True  # raw outputs, with frozen statistics
    rows = objects()
    batch = {"img": images(), "batch_idx": rows[:, 0], "cls": rows[:, 1:2], "bboxes": rows[:, 2:]}
    loss, terms = network.loss(batch)
    assert [float(term) for term in terms.values()] == pytest.approx(original["terms"], rel=1e-6)
    loss.sum().backward()
    found = {name: float(parameter.grad.norm()) for name, parameter in network.named_parameters()}
    assert found == pytest.approx(original["gradients"], rel=1e-5)


def test_images_without_objects_have_a_loss(small: Any) -> None:
    batch = {"img": images(), "batch_idx": torch.zeros(0), "cls": torch.zeros(0, 1), "bboxes": torch.zeros(0, 4)}
    _, terms = small.loss(batch)
    assert float(terms["box_loss"]) == float(terms["cls_loss"]) == 0 < float(terms["obj_loss"])


def test_scores_are_objectness_times_class() -> None:
    decoded = torch.tensor([[[10.0, 20, 4, 6, 0.5, 0.2, 0.8]]])
    assert class_scores(decoded)[0, :, 0].tolist() == pytest.approx([10, 20, 4, 6, 0.1, 0.4])


def test_a_stock_size_is_known_by_name_and_cut_exactly(tmp_path: Path) -> None:
    parent = Parent.load("yolov5n-original.yaml", classes=3, imgsz=64)
    randomise_batchnorm(parent.network, seed=0)
    assert (len(parent.groups), len(parent.repeats)) == (50, 7)
    spec = random_spec(parent, 0.6, seed=3)
    right, wrong = differences(parent, spec, spec, rolled(spec))
    assert right < TOLERANCE
    assert wrong > 1e-2
    cut = parent.build(spec)
    checkpoint.save(cut, tmp_path / "cut")
    again = checkpoint.load(tmp_path / "cut")
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(cut.network.eval()(image)[0], again.network.eval()(image)[0])


@pytest.mark.parametrize(
    ("anchors", "fault"),
    [([[1, 2, 3]] * 3, "a list of widths"), ([[1, 2]], "anchors for 1 levels"), ("os.system", "a list of widths")],
)
def test_anchors_that_do_not_fit_are_refused(anchors: Any, fault: str) -> None:
    with pytest.raises(SpaceError, match=fault):
        stock.resolve({**copy.deepcopy(MODEL), "anchors": anchors}, CLASSES)


# Files.


class _Danger:
    def __reduce__(self) -> Any:
        return os.mkdir, ("danger",)


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Iterator[types.SimpleNamespace]:
    """Modules named like those of the repository, while a file is written."""
    found = types.SimpleNamespace(yolo=types.ModuleType("models.yolo"), common=types.ModuleType("models.common"))
    monkeypatch.setitem(sys.modules, "models", types.ModuleType("models"))
    monkeypatch.setitem(sys.modules, "models.yolo", found.yolo)
    monkeypatch.setitem(sys.modules, "models.common", found.common)
    yield found


def _as_in_the_repository(module: nn.Module, repository: types.SimpleNamespace, kind: str = "") -> nn.Module:
    """Return the module with the classes of the repository, as its files hold them; they have no code here."""
    name = kind or {"AnchorDetect": "Detect", "AnchorDetectionModel": "DetectionModel"}.get(
        type(module).__name__, type(module).__name__
    )
    twin: nn.Module = module
    if not type(module).__module__.startswith("torch."):
        home = repository.yolo if name in ("Detect", "DetectionModel", "Model") else repository.common
        if not hasattr(home, name):
            setattr(home, name, type(name, (nn.Module,), {"__module__": home.__name__}))
        twin = getattr(home, name)()
        vars(twin).update(vars(module))
    vars(twin)["_modules"] = {
        own: each if each is None else _as_in_the_repository(each, repository)
        for own, each in vars(module)["_modules"].items()
    }
    return twin


def _file(network: Any, repository: types.SimpleNamespace, path: Path, kind: str = "", **more: Any) -> Path:
    network = copy.deepcopy(network).half()
    network.names = list(NAMES)
    network.hyp = {"hsv_h": 0.02, "fl_gamma": 0.0}
    vars(network).pop("args", None)
    vars(network).pop("criterion", None)
    model = _as_in_the_repository(network, repository, kind)
    torch.save({"epoch": -1, "model": model, "ema": None, "opt": {"imgsz": 96}, **more}, path)
    return path


@pytest.mark.parametrize("kind", ["DetectionModel", "Model"])  # since v6.2, and before
def test_a_file_of_the_repository_is_read_without_its_classes(
    kind: str, small: Any, repository: types.SimpleNamespace, tmp_path: Path
) -> None:
    network = copy.deepcopy(small).float()
    network.model[-1].anchors[0] *= 1.25  # AutoAnchor's own; the YAML keeps the old ones
    network.half().float()
    path = _file(network, repository, tmp_path / "yolov5s.pt", kind)
    for name in ("models", "models.yolo", "models.common"):
        sys.modules.pop(name)
    parent = Parent.load(weights=path)
    assert (parent.classes, parent.imgsz, parent.weights_match) == (NAMES, 96, True)
    assert parent.model["yaml_file"] == "yolov5-custom.yaml"
    image: Tensor = images().float()
    with torch.no_grad():
        assert (parent.network(image)[0] - network.eval()(image)[0]).abs().max() < 1e-5


def test_nothing_in_a_file_is_run(
    small: Any, repository: types.SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = _file(small, repository, tmp_path / "evil.pt", date=_Danger())
    with pytest.raises(SpaceError, match=r"they name '\w+\.mkdir', which no YOLOv5 needs"):
        Parent.load(weights=path)
    assert not (tmp_path / "danger").exists()


@pytest.mark.parametrize(
    ("layer", "fault"),
    [("Focus", "v5.0 or older .layer Focus.; v6.0 to v7.0 are read"), ("C3TR", r"the layer model.0 \(C3TR\)")],
)
def test_other_layers_are_refused_by_name(
    layer: str, fault: str, small: Any, repository: types.SimpleNamespace, tmp_path: Path
) -> None:
    network = copy.deepcopy(small)
    network.model[0] = _as_in_the_repository(network.model[0], repository, layer)
    with pytest.raises(SpaceError, match=fault):
        Parent.load(weights=_file(network, repository, tmp_path / "other.pt"))


def test_a_segmentation_network_is_refused_by_name(
    small: Any, repository: types.SimpleNamespace, tmp_path: Path
) -> None:
    with pytest.raises(SpaceError, match="a SegmentationModel of the YOLOv5 repository; its detectors are read"):
        Parent.load(weights=_file(small, repository, tmp_path / "seg.pt", "SegmentationModel"))
