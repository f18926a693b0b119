"""An exported `.pt`, trained further by stock Ultralytics with our trainer: a few seconds on real scenes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

import spaces.offline  # noqa: F401  (before ultralytics)
from objectives.data.dataset import Dataset, open_dataset
from objectives.export.pt_file import export_pt, how_to_train
from objectives.pruned_training import PrunedTrainer
from objectives.tasks.registry import TASKS
from spaces.allocation.uniform import uniform
from spaces.base import SpaceError
from spaces.networks.parent import Parent
from tests.objectives.pets import write_pets
from tests.spaces.trained_look import make_look_trained

# isort: split
from ultralytics import YOLO
from ultralytics.nn.tasks import DetectionModel

SUFFIXES = {"detect": "", "segment": "-seg", "pose": "-pose", "obb": "-obb", "classify": "-cls"}
QUIET = {"imgsz": 96, "batch": 8, "workers": 0, "device": "cpu", "amp": False, "plots": False, "verbose": False}


@dataclass(frozen=True)
class Run:
    """A training of two epochs: the tensors before, the tensors after, and the folder of what it wrote."""

    data: Dataset
    before: dict[str, torch.Tensor]
    after: dict[str, torch.Tensor]
    weights: Path


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    """Ultralytics' trainer sets the number of torch's threads to its own idea."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Scenes of its own: stock Ultralytics writes its caches beside the labels."""
    return open_dataset("digits", tmp_path_factory.mktemp("data"), scenes={"train": 16, "val": 8, "test": 2})


@pytest.fixture(scope="module")
def file(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    parent = Parent.load("yolov8n.yaml", classes=data.classes, imgsz=96, seed=0)
    candidate = parent.build(uniform(parent, 0.5))
    make_look_trained(candidate.network, seed=0)
    return export_pt(candidate, tmp_path_factory.mktemp("pt") / "net.pt", {})


@pytest.fixture(scope="module")
def run(file: Path, data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    model: Any = YOLO(file)
    before = {name: tensor.clone() for name, tensor in model.model.state_dict().items()}
    folder = tmp_path_factory.mktemp("runs")
    steps = {"epochs": 2, "optimizer": "AdamW", "lr0": 0.01, "warmup_epochs": 0, "nbs": 8}  # seen in half precision
    model.train(data=str(data.yaml), trainer=PrunedTrainer, project=str(folder), name="run", **steps, **QUIET)
    return Run(data, before, model.model.state_dict(), folder / "run" / "weights")


@pytest.mark.slow
def test_two_epochs_keep_every_width_and_move_the_parameters(run: Run) -> None:
    shapes = {name: tensor.shape for name, tensor in run.before.items()}
    assert {name: tensor.shape for name, tensor in run.after.items()} == shapes
    learnt = {name: tensor for name, tensor in run.after.items() if tensor.is_floating_point()}
    still = {name for name, tensor in learnt.items() if torch.equal(tensor, run.before[name])}
    # The first is frozen by Ultralytics; the second learns from objects larger than any digit.
    assert still <= {"model.22.dfl.conv.weight", "model.22.cv2.2.2.bias"}


def test_the_best_checkpoint_is_pruned_as_the_file_was_and_loads_in_ultralytics(run: Run) -> None:
    best: Any = YOLO(run.weights / "best.pt")
    assert type(best.model) is DetectionModel
    assert {name: x.shape for name, x in best.model.state_dict().items()} == {n: x.shape for n, x in run.before.items()}
    assert tuple(best.names.values()) == run.data.classes
    assert len(best.predict(torch.rand(1, 3, 96, 96), imgsz=96, verbose=False)) == 1


def test_the_best_checkpoint_is_no_more_rebuilt_from_its_yaml_than_the_file(run: Run, tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="this network is pruned") as caught:
        YOLO(run.weights / "best.pt").train(data=str(run.data.yaml), epochs=1, project=str(tmp_path), **QUIET)
    assert caught.value.args == (how_to_train("detect"),)
    with pytest.raises(SpaceError, match="a parent must be whole"):
        Parent.load(classes=run.data.classes, weights=run.weights / "best.pt")


def test_data_of_another_number_of_classes_is_refused(file: Path, tmp_path: Path) -> None:
    pets = open_dataset(write_pets(tmp_path / "pets") / "data.yaml", tmp_path / "cache")
    with pytest.raises(SpaceError, match="the network has 10 classes, the data 2"):
        YOLO(file).train(data=str(pets.yaml), trainer=PrunedTrainer, project=str(tmp_path), **QUIET)


@pytest.mark.parametrize("name", TASKS)
def test_each_task_has_ultralytics_own_trainer_of_it(name: str) -> None:
    trainer: Any = PrunedTrainer.__new__(PrunedTrainer, overrides={"task": name})
    assert isinstance(trainer, TASKS[name].trainer()) and isinstance(trainer, PrunedTrainer)
    network: Any = Parent.load(f"yolo11n{SUFFIXES[name]}.yaml", classes=3, imgsz=64, seed=0).network
    trainer.data = {"nc": 3}
    assert trainer.get_model(weights=network) is network
    trainer.data = {"nc": 2}
    with pytest.raises(SpaceError, match="the network has 3 classes, the data 2"):
        trainer.get_model(weights=network)
    assert TASKS[name].trainer().__name__ in how_to_train(name)


def test_a_fused_network_is_refused(file: Path, data: Dataset, tmp_path: Path) -> None:
    model: Any = YOLO(file).fuse(verbose=False)
    with pytest.raises(SpaceError, match="the network is fused"):
        model.train(data=str(data.yaml), trainer=PrunedTrainer, project=str(tmp_path), **QUIET)


def test_training_from_scratch_is_refused(file: Path, data: Dataset, tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match="pretrained=False"):
        YOLO(file).train(data=str(data.yaml), trainer=PrunedTrainer, pretrained=False, project=str(tmp_path), **QUIET)
