"""A pruned network as a `.pt`: stock Ultralytics can use it, and must not train an unpruned one in its place."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import spaces.offline  # noqa: F401  (before ultralytics)
from objectives.data.dataset import open_dataset
from objectives.export.pt_file import check_pt, export_pt, how_to_train, model_yaml
from spaces.allocation.uniform import uniform
from spaces.base import Candidate, CandidateError, SpaceError
from spaces.networks.checkpoint import load, save
from spaces.networks.parent import Parent
from tests.objectives.networks import CLASSES, state_of, unchanged
from tests.spaces.trained_look import make_look_trained

# isort: split
from ultralytics.nn.tasks import DetectionModel, torch_safe_load

FACTS = {"study": "nas_head", "figures": {"map50_95": 0.4}}

STOCK_ONLY = """
import json, sys
for ours in ("spaces", "objectives", "search", "tests"):
    sys.modules[ours] = None  # importing one of them now fails, as where they are not installed
import torch
from ultralytics import YOLO
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.utils import SAFE_LOAD
torch.set_num_threads(1)
file, images, data, out = sys.argv[1:]
parameters = lambda network: sum(parameter.numel() for parameter in network.parameters())
quiet = dict(data=data, imgsz=96, workers=0, plots=False, verbose=False, device="cpu", project=out)
network = YOLO(file).model
with torch.no_grad():
    torch.save(network(torch.load(images))[0], out + "/outputs.pt")
modules = {type(module).__module__.split(".")[0] for module in network.modules()}
said = dict(safe=SAFE_LOAD, parameters=parameters(network), modules=sorted(modules), names=network.names)
try:
    YOLO(file).train(epochs=1, batch=8, **quiet)
except Exception as error:
    said["training"] = str(error)
if not SAFE_LOAD:
    said["detections"] = len(YOLO(file).predict(torch.load(images), conf=0.001, imgsz=96, verbose=False))
    said["classes validated"] = int((YOLO(file).val(**quiet).nt_per_image > 0).sum())
    said["info"] = YOLO(file).info(imgsz=96)[1]
    said["exported"] = YOLO(file).export(format="onnx", imgsz=96, simplify=False)
    said["fused"] = YOLO(file).fuse(imgsz=96).model.is_fused()
    trainer = DetectionTrainer(overrides=dict(quiet, model=file, epochs=1, batch=8, amp=False))
    trainer.model = YOLO(file).model
    trainer.train()
    said["trained on"] = parameters(YOLO(trainer.best).model)
print("SAID", json.dumps(said))
"""


@dataclass(frozen=True)
class Exported:
    """A pruned network as it comes out of a checkpoint, and its file."""

    parent: Parent
    candidate: Candidate
    file: Path


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = tmp_path_factory.mktemp("pt")
    parent = Parent.load("yolov8n.yaml", classes=CLASSES, imgsz=96, seed=0)
    return Exported(parent, pruned := _stored(parent, folder), export_pt(pruned, folder / "net.pt", FACTS))


def _stored(parent: Parent, folder: Path) -> Candidate:
    candidate = parent.build(uniform(parent, 0.5))
    make_look_trained(candidate.network, seed=0)
    save(candidate, folder / "stored", half=True)
    return load(folder / "stored")


def _content(file: Path) -> Any:
    return torch_safe_load(str(file), safe_only=True)[0]


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("safe", ["False", "1"])
def test_stock_ultralytics_alone_can_do_everything_except_train_it_from_its_yaml(
    exported: Exported, safe: str, tmp_path: Path
) -> None:
    data = open_dataset("digits", tmp_path / "data", scenes={"train": 8, "val": 4, "test": 2})
    images = torch.rand(2, 3, 96, 96)
    torch.save(images, tmp_path / "images.pt")
    arguments = [str(exported.file), str(tmp_path / "images.pt"), str(data.yaml), str(tmp_path)]
    environment = {**os.environ, "ULTRALYTICS_SAFE_LOAD": safe}
    done = subprocess.run(
        [sys.executable, "-c", STOCK_ONLY, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.partition("SAID ")[2])
    own = _parameters(exported.candidate.network)
    assert said["safe"] is (safe == "1")
    assert (said["parameters"], said["modules"]) == (own, ["torch", "ultralytics"])
    assert tuple(said["names"].values()) == CLASSES
    assert how_to_train("detect") in said["training"]
    with torch.no_grad():
        expected = exported.candidate.network.eval()(images)[0]
    assert torch.equal(torch.load(tmp_path / "outputs.pt"), expected)
    if safe == "False":
        assert (said["info"], said["trained on"]) == (own, own)
        assert (said["detections"], said["fused"]) == (2, True)
        assert 5 < said["classes validated"] <= 10
        assert Path(said["exported"]).is_file()


def test_the_file_holds_the_pruned_network_in_half_precision_and_its_facts(exported: Exported) -> None:
    content = _content(exported.file)
    network = content["model"]
    assert type(network) is DetectionModel
    assert _parameters(network) == _parameters(exported.candidate.network) < 0.5 * _parameters(exported.parent.network)
    assert {tensor.dtype for tensor in network.state_dict().values()} == {torch.float16, torch.int64}
    assert content["facts"] == FACTS
    assert content["train_args"] == {"task": "detect", "imgsz": 96}
    assert check_pt(exported.candidate, exported.file) == _parameters(network)


def test_nothing_of_this_machine_is_named_in_the_file(exported: Exported) -> None:
    content = exported.file.read_bytes()
    for path in (exported.file.parent, Path.cwd(), Path.home()):
        assert str(path).encode() not in content


def test_values_that_half_precision_cannot_hold_stay_in_single_precision(exported: Exported, tmp_path: Path) -> None:
    wide = copy.deepcopy(exported.candidate)
    wide.network.state_dict()["model.1.bn.weight"][3] = 1e6  # above 65504
    file = export_pt(wide, tmp_path / "wide.pt", {})
    assert _content(file)["model"].state_dict()["model.1.bn.weight"].dtype == torch.float32
    check_pt(wide, file)


def test_writing_leaves_the_candidate_as_it_was(exported: Exported, tmp_path: Path) -> None:
    network: Any = exported.candidate.network
    before, model = state_of(network), copy.deepcopy(network.yaml)
    export_pt(exported.candidate, tmp_path / "net.pt", {})
    assert unchanged(network, before)
    assert network.yaml == model
    assert network.state_dict()["model.0.conv.weight"].dtype == torch.float32


def test_a_file_that_reads_back_as_another_network_is_noticed(exported: Exported) -> None:
    other = copy.deepcopy(exported.candidate)
    other.network.state_dict()["model.1.bn.weight"][0] += 1
    with pytest.raises(CandidateError, match=r"tensor 'model.1.bn.weight' of 'net.pt' reads back as another one"):
        check_pt(other, exported.file)
    with pytest.raises(CandidateError, match="reads back with the classes"):
        check_pt(replace(exported.candidate, classes=CLASSES[::-1]), exported.file)


def test_an_end_to_end_network_is_written_with_both_its_heads(tmp_path: Path) -> None:
    parent = Parent.load("yolo26n.yaml", classes=3, imgsz=64, seed=0)
    candidate = parent.build(uniform(parent, 0.5))
    file = export_pt(candidate, tmp_path / "net.pt", {})
    assert check_pt(candidate, file) == _parameters(candidate.network)
    assert any("one2one" in name for name in _content(file)["model"].state_dict())


def test_a_whole_network_keeps_its_yaml_and_can_be_a_parent(exported: Exported, tmp_path: Path) -> None:
    file = export_pt(exported.parent.candidate(), tmp_path / "whole.pt", {})
    network: Any = exported.parent.network
    assert _content(file)["model"].yaml == network.yaml
    assert Parent.load(classes=CLASSES, weights=file).weights_match


def test_class_towers_that_ultralytics_itself_carries_over_need_no_other_yaml() -> None:
    wide: Any = Parent.load({**Parent.load("yolov8n.yaml", classes=3).model, "class_width": 80}, classes=3).network
    assert model_yaml(wide) is wide.yaml


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "dropped", "rows"),
    [
        ("yolov8n.yaml", ("model.4.m.1", "model.8.m.0"), {"model.1": 24}),
        ("yolov5nu.yaml", ("model.4.m.0",), {}),
        ("yolo11m.yaml", (), {"model.1": 120}),  # m has other blocks than n
    ],
)
def test_whole_bottlenecks_and_rows_can_be_left_out_in_yaml_too(
    model: str, dropped: tuple[str, ...], rows: dict[str, int], tmp_path: Path
) -> None:
    parent = Parent.load(model, classes=3, imgsz=64, seed=0)
    cut = parent.build(parent.spec(rows, dropped=dropped))
    file = export_pt(cut, tmp_path / "cut.pt", {})
    built = DetectionModel(_content(file)["model"].yaml, verbose=False).state_dict()
    assert {name: x.shape for name, x in built.items()} == {n: x.shape for n, x in cut.network.state_dict().items()}
    again = Parent.load(classes=tuple(map(str, range(3))), weights=file)
    assert again.weights_match
    assert again.key != parent.key


@pytest.mark.parametrize("group", ["model.2.m.0.cv1", "model.9.cv1", "model.22.cv2.0.0", "model.22.cv3.0.0"])
def test_a_cut_within_a_block_or_a_tower_cannot_be_expressed_in_yaml(exported: Exported, group: str) -> None:
    parent = exported.parent
    width = next(each.width for each in parent.groups if each.name == group)
    assert model_yaml(parent.build(parent.spec({group: width - 8})).network) is None


@pytest.mark.parametrize("classes", [CLASSES, CLASSES[:5]])
def test_a_pruned_file_is_refused_as_a_parent(exported: Exported, classes: tuple[str, ...]) -> None:
    with pytest.raises(SpaceError, match=r"net.pt' hold a pruned network; a parent must be whole"):
        Parent.load(classes=classes, weights=exported.file)


class _Ours(nn.Identity):
    """A class that no stock installation has."""


def test_a_network_with_a_class_of_ours_is_not_written(exported: Exported, tmp_path: Path) -> None:
    network: Any = copy.deepcopy(exported.candidate.network)
    network.model[0].act = _Ours()
    with pytest.raises(CandidateError, match=r"test_pt_file._Ours, which stock Ultralytics"):
        export_pt(replace(exported.candidate, network=network), tmp_path / "net.pt", {})
    assert list(tmp_path.iterdir()) == []
