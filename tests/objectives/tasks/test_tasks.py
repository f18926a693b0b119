"""Each task is trained and validated by Ultralytics' own classes, on labels that are equal to those it reads itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import spaces.offline  # noqa: F401  (before ultralytics)
from objectives.data.dataset import Dataset, open_dataset
from objectives.data.loader import detection_dataset, ultralytics_data
from objectives.export.onnx_file import export_onnx
from objectives.quantities import OWN_ACCURACIES
from objectives.recipe import Recipe
from objectives.runtimes.parity import check_parity
from objectives.tasks.registry import TASKS, task_named
from objectives.training.accuracy import own_average_precision
from objectives.training.detections import checked_validator, detect
from objectives.training.trainer import CandidateTraining, training_class
from objectives.training.training import train
from spaces.networks.parent import Parent
from spaces.structure.heads import task_of
from tests.spaces.trained_look import make_look_trained

# isort: split
from ultralytics.cfg import get_cfg
from ultralytics.data.dataset import ClassificationDataset, YOLODataset
from ultralytics.utils import nms
from ultralytics.utils.metrics import ClassifyMetrics

IMGSZ = 64
SETS = {"segment": ("digits-seg", "yolo11n-seg"), "pose": ("digits-pose", "yolo11n-pose")}
SETS |= {"obb": ("digits-obb", "yolo11n-obb"), "classify": ("digits-cls", "yolo11n-cls")}
WITH_BOXES = ("segment", "pose", "obb")
LOW_IOU = 0.02  # at which boxes of a network that was not trained match as well


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Dataset]:
    cache: Path = tmp_path_factory.mktemp("data")

    def open_set(task: str) -> Dataset:
        return open_dataset(SETS[task][0], cache, scenes={"train": 6, "val": 2, "test": 2}, task=task_named(task))

    return open_set


def _parent(task: str, data: Dataset) -> Parent:
    model = f"{SETS[task][1]}.yaml"
    return Parent.load(model, classes=data.classes, imgsz=IMGSZ, facts=data.task.model_facts(data.facts))


def _read_by_ultralytics(data: Dataset, batch: int) -> YOLODataset:
    folder = data.splits["val"].images[0].parent
    return YOLODataset(
        img_path=str(folder),
        imgsz=IMGSZ,
        cache=False,
        augment=False,
        hyp=get_cfg(),
        rect=True,
        batch_size=batch,
        stride=32,
        pad=0.5,
        data=ultralytics_data(data),
        task=data.task.name,
    )


@pytest.mark.parametrize("task", WITH_BOXES)
def test_batches_are_those_that_ultralytics_makes_of_the_files(opened: Callable[[str], Dataset], task: str) -> None:
    data = opened(task)
    theirs = _read_by_ultralytics(data, 2)
    ours = detection_dataset(data, "val", imgsz=IMGSZ, batch=2, augment=None, rect=True)
    assert len(ours) == len(theirs) == 2
    for index in range(2):
        expected, found = theirs[index], ours[index]
        assert expected.keys() == found.keys()
        for name, value in expected.items():
            if isinstance(value, torch.Tensor):
                torch.testing.assert_close(found[name], value, msg=name)


def test_images_and_figures_of_a_classifier_are_those_of_ultralytics(opened: Callable[[str], Dataset]) -> None:
    data = opened("classify")
    folder = data.splits["val"].images[0].parents[1]
    arguments = get_cfg(overrides={"imgsz": IMGSZ, "task": "classify", "mode": "val"})
    theirs = ClassificationDataset(str(folder), arguments, augment=False, names=dict(enumerate(data.classes)))
    ours = detection_dataset(data, "val", imgsz=IMGSZ, batch=2, augment=None, rect=False)
    assert sorted(ours.samples) == sorted((file, number) for file, number, *_ in theirs.samples)
    order = {file: index for index, (file, *_) in enumerate(theirs.samples)}
    assert all(torch.equal(ours[i]["img"], theirs[order[file]]["img"]) for i, (file, _) in enumerate(ours.samples))
    parent = _parent("classify", data)
    make_look_trained(parent.network, seed=1)
    found = detect(parent.as_candidate(), data, "val", batch=2)
    with torch.no_grad():
        scores = torch.cat([parent.network(each["img"][None])[0] for each in ours])
    metrics = ClassifyMetrics()
    metrics.process([torch.tensor([each["cls"] for each in ours])], [scores.argsort(1, descending=True)[:, :5]])
    assert found.top == pytest.approx((metrics.top1, metrics.top5))
    assert found.matched.sum() == 11 * len(ours)


@pytest.mark.parametrize("task", WITH_BOXES)
def test_matches_are_those_of_ultralytics_validator(
    opened: Callable[[str], Dataset], task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_limit = partial(nms.non_max_suppression, max_time_img=math.inf)  # it stops earlier on a busy machine
    data = opened(task)
    parent = _parent(task, data)
    make_look_trained(parent.network, seed=1)
    found = detect(parent.as_candidate(), data, "val", batch=2, iou=LOW_IOU)
    monkeypatch.setattr(nms, "non_max_suppression", without_limit)
    network: Any = parent.candidate().network
    network.end2end = False
    network.eval().fuse(verbose=False)
    images = _read_by_ultralytics(data, 2)
    loader: DataLoader[Any] = DataLoader(images, batch_size=2, collate_fn=images.collate_fn)
    arguments = {"task": task, "mode": "val", "conf": 0.001, "iou": 0.7, "max_det": 300, "plots": False}
    validator = data.task.validator()(loader, save_dir=data.yaml.parent, args=arguments, _callbacks={"none": []})
    validator.device, validator.data = torch.device("cpu"), ultralytics_data(data)
    validator.iouv = torch.cat([torch.tensor([LOW_IOU]), validator.iouv])
    validator.niou = len(validator.iouv)
    validator.init_metrics(network)
    with torch.inference_mode():
        for batch in loader:
            prepared = validator.preprocess(batch)
            validator.update_metrics(validator.postprocess(network(prepared["img"])), prepared)
    stats = {name: np.concatenate(values, 0) for name, values in validator.metrics.stats.items()}
    np.testing.assert_allclose(np.sort(found.confidence), np.sort(stats["conf"]), rtol=2e-3)  # another memory layout
    assert found.matched.sum(0).tolist() == stats["tp"].sum(0).tolist()
    assert found.matched[:, 0].any()
    own = found.matched if found.own is None else found.own
    assert own.sum(0).tolist() == stats[data.task.matches].sum(0).tolist()


@pytest.mark.parametrize("task", SETS)
def test_a_network_is_trained_and_scored_by_the_measure_of_its_task(
    opened: Callable[[str], Dataset], task: str, tmp_path: Path
) -> None:
    data = opened(task)
    candidate = _parent(task, data).candidate()
    recipe = Recipe.from_plain({**data.defaults, "imgsz": IMGSZ, "epochs": 1, "batch": 3, "warmup_epochs": 0})
    trained = train(candidate, recipe, data, seed=0, scratch=tmp_path)
    assert task_of(trained.candidate.network) == task
    (result,) = trained.history
    assert math.isfinite(result.loss)
    assert result.loss > 0
    found = detect(trained.candidate, data, "val")
    figures = found.top or own_average_precision(found)
    assert (result.map50_95, result.map50) == pytest.approx(figures, abs=1e-3)


@pytest.mark.parametrize("task", TASKS)
def test_trainer_and_validator_are_ultralytics_own_with_ours_beneath(task: str) -> None:
    assert issubclass(training_class(TASKS[task]), TASKS[task].trainer())
    assert issubclass(checked_validator(TASKS[task]), TASKS[task].validator())
    assert training_class(TASKS[task]).validate is CandidateTraining.validate
    assert "Trainer" not in training_class(TASKS[task]).__name__


@pytest.mark.parametrize("task", SETS)
def test_an_exported_file_agrees_with_the_network(opened: Callable[[str], Dataset], task: str, tmp_path: Path) -> None:
    candidate = _parent(task, opened(task)).candidate()
    make_look_trained(candidate.network, seed=2)
    file = export_onnx(candidate, tmp_path / "x.onnx")
    image = np.random.default_rng(0).random((3, IMGSZ, IMGSZ), dtype=np.float32)
    assert check_parity(candidate, file, [image]).holds


def test_each_own_accuracy_belongs_to_a_task() -> None:
    assert OWN_ACCURACIES.keys() <= TASKS.keys()
