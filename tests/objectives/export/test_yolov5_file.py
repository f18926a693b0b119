"""A network is written as a file of the YOLOv5 repository, whole or pruned, and nothing in it names our code."""

from __future__ import annotations

import sys
import types
import zipfile
from pathlib import Path
from pickletools import genops
from typing import Any

import pytest
import torch
from torch import nn

from objectives.export.pt_file import export_pt
from objectives.export.yolov5_file import HOW_TO_TRAIN_HERE, export_yolov5
from spaces.base import CandidateError, SpaceError
from spaces.networks.parent import Parent
from spaces.networks.yolov5_file import read_original
from tests.spaces.silencing import random_spec, randomise_batchnorm


@pytest.fixture(scope="module")
def parent() -> Parent:
    found = Parent.load("yolov5n-original.yaml", classes=3, imgsz=64)
    randomise_batchnorm(found.network, seed=0)
    return found


def _named(path: Path) -> set[str]:
    """Return the classes and functions that a file names."""
    with zipfile.ZipFile(path) as archive:
        (pickled,) = (archive.read(name) for name in archive.namelist() if name.endswith("data.pkl"))
    return {str(value).replace(" ", ".") for code, value, _ in genops(pickled) if code.name == "GLOBAL"}


def test_a_whole_network_reads_back_and_names_the_repositorys_classes_only(parent: Parent, tmp_path: Path) -> None:
    path = export_yolov5(parent.build(parent.spec({})), tmp_path / "whole.pt", {"trial": "parent"})
    named = _named(path)
    own = {name for name in named if not name.startswith(("torch.", "collections.", "__builtin__."))}
    assert own == {f"models.common.{name}" for name in ("Conv", "C3", "Bottleneck", "SPPF", "Concat")} | {
        "models.yolo.Detect",
        "models.yolo.DetectionModel",
    }
    again = Parent.load(weights=path)
    assert (again.classes, again.imgsz, again.weights_match) == (parent.classes, 64, True)
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        ours, theirs = (each.network.eval()(image)[0] for each in (parent, again))
    assert torch.equal(ours, theirs)


def test_the_repositorys_val_py_finds_what_it_asks_for(
    parent: Parent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = export_yolov5(parent.build(parent.spec({})), tmp_path / "whole.pt", {})
    for name in ("models", "models.yolo", "models.common"):
        module = types.ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)
        for each in _named(path):
            if each.startswith(f"{name}."):
                kind = each.removeprefix(f"{name}.")
                setattr(module, kind, type(kind, (nn.Module,), {"__module__": name}))
    network = torch.load(path, weights_only=False)["model"]
    head = network.model[-1]
    assert (network.nc, head.nc, network.names) == (3, 3, {0: "0", 1: "1", 2: "2"})
    assert network.stride.tolist() == head.stride.tolist() == [8, 16, 32]
    assert len(head.grid) == len(head.anchor_grid) == head.nl == 3


def test_ultralytics_own_format_names_the_right_one(parent: Parent, tmp_path: Path) -> None:
    with pytest.raises(CandidateError, match="--format yolov5 writes this one for its own code"):
        export_pt(parent.build(parent.spec({})), tmp_path / "whole.pt", {})


def test_a_pruned_network_is_written_and_not_rebuilt_from_its_yaml(parent: Parent, tmp_path: Path) -> None:
    cut = parent.build(random_spec(parent, 0.6, seed=3))
    path = export_yolov5(cut, tmp_path / "cut.pt", {})
    with pytest.raises(SpaceError, match="hold a pruned network; a parent must be whole"):
        read_original(path)
    with zipfile.ZipFile(path) as archive:
        (pickled,) = (archive.read(name) for name in archive.namelist() if name.endswith("data.pkl"))
    assert HOW_TO_TRAIN_HERE.encode() in pickled


def test_other_families_are_refused_with_the_way_out(tmp_path: Path) -> None:
    other: Any = Parent.load("yolov8n.yaml", classes=1, imgsz=64)
    with pytest.raises(CandidateError, match=r"this one is a yolov8n\.yaml: --format pt writes it for Ultralytics"):
        export_yolov5(other.build(other.spec({})), tmp_path / "other.pt", {})
    assert not list(tmp_path.iterdir())
