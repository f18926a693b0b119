"""Accuracy equals that of `yolo val`, and precision, recall and F1 equal the values counted by hand."""

from __future__ import annotations

import copy
import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import spaces.offline  # noqa: F401  (before ultralytics)
from objectives.base import Evaluation
from objectives.data.dataset import Dataset
from objectives.data.loader import detection_dataset
from objectives.runtimes.catalogue import target_here
from objectives.training import detections
from objectives.training.accuracy import evaluate, evaluation_of, map_at_iou, score
from objectives.training.exported_accuracy import FileTarget, evaluate_exported
from spaces.base import Candidate, CandidateError, SpaceError
from spaces.networks.deployed import deployed
from tests.objectives.networks import candidate, state_of, unchanged

pytestmark = pytest.mark.slow

LEAST_MAP = 0.02  # below it a comparison means nothing
STEPS, MOST_STEPS = 20, 400  # processors round differently, so networks learn at different speeds


def taught(model: str, data: Dataset) -> Candidate:
    """Return a narrow network after a short training: it is bad, but its mAP is not 0."""
    from ultralytics.utils import DEFAULT_CFG

    start = candidate(model, width=0.125, imgsz=96)
    network: Any = copy.deepcopy(start.network)
    network.args = copy.copy(DEFAULT_CFG)
    network.args.epochs = MOST_STEPS
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.2  # statistics that follow within a few steps
    dataset = detection_dataset(data, "val", imgsz=96, batch=24, augment=None, rect=False)
    batch = dataset.collate_fn([dataset[i] for i in range(len(dataset))])
    batch["img"] = batch["img"].float() / 255
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01)
    for _ in range(MOST_STEPS // STEPS):
        network.train()
        for _ in range(STEPS):
            optimizer.zero_grad()
            network.loss(batch)[0].sum().backward()
            nn.utils.clip_grad_norm_(network.parameters(), 10.0)
            optimizer.step()
        if score(network.eval(), data, "val", imgsz=96).map50_95 > 2 * LEAST_MAP:
            break
    network.criterion = None
    return dataclasses.replace(start, network=network, classes=data.classes)


@pytest.fixture(scope="module")
def trained(digits: Dataset) -> Candidate:
    return taught("yolov8n.yaml", digits)


@pytest.fixture(scope="module")
def end_to_end(digits: Dataset) -> Candidate:
    """A network with a second head that needs no NMS; `yolo val` scores the first one."""
    return taught("yolo26n.yaml", digits)


def yolo_val(network: Any, data: Dataset, folder: Path, imgsz: int) -> Any:
    """Return the result of stock Ultralytics for the same weights, from a `.pt`, on a copy of the data."""
    from ultralytics import YOLO

    shutil.copytree(data.splits["val"].images[0].parents[2], folder / "data")
    network = copy.deepcopy(network)
    network.names = dict(enumerate(data.classes))
    network.args = {"imgsz": imgsz, "task": "detect"}
    torch.save({"model": network, "train_args": network.args}, folder / "stock.pt")
    return YOLO(folder / "stock.pt").val(
        data=str(folder / "data/data.yaml"), imgsz=imgsz, plots=False, workers=0, project=str(folder), device="cpu"
    )


def same_as_yolo_val(found: Evaluation, stock: Any) -> None:
    assert found.map50_95 > LEAST_MAP
    # it is the same computation: only float32 sums in another order may differ
    assert found.map50_95 == pytest.approx(stock.map, abs=1e-4)
    assert found.map50 == pytest.approx(stock.map50, abs=1e-4)
    assert found.precision_at_best_f1 == pytest.approx(stock.mp, abs=1e-4)
    assert found.recall_at_best_f1 == pytest.approx(stock.mr, abs=1e-4)
    assert found.best_f1 == pytest.approx(stock.f1.mean(), abs=1e-4)
    np.testing.assert_allclose(found.ap_per_class, stock.maps, atol=1e-4)


@pytest.mark.parametrize("imgsz", [96, 120])  # 120 is no multiple of the stride: Ultralytics takes 128
def test_evaluation_equals_yolo_val(trained: Candidate, digits: Dataset, tmp_path: Path, imgsz: int) -> None:
    before = state_of(trained.network)
    found = evaluate(dataclasses.replace(trained, imgsz=imgsz), digits, "val", batch=16)
    assert unchanged(trained.network, before)
    stock = yolo_val(trained.network, digits, tmp_path, imgsz).box
    same_as_yolo_val(found, stock)
    boxes = detections.detect(dataclasses.replace(trained, imgsz=imgsz), digits, "val")
    assert map_at_iou(boxes, 0.75) == pytest.approx(stock.map75, abs=1e-4)
    quick = score(trained.network, digits, "val", imgsz=imgsz)
    assert quick.map50_95 == pytest.approx(found.map50_95, abs=1e-4)  # fused or not


def test_an_end_to_end_network_is_scored_as_by_yolo_val(end_to_end: Candidate, digits: Dataset, tmp_path: Path) -> None:
    found = evaluate(end_to_end, digits, "val")
    same_as_yolo_val(found, yolo_val(end_to_end.network, digits, tmp_path, 96).box)
    assert score(end_to_end.network, digits, "val", imgsz=96, loss=True).loss > 0


def test_an_exported_file_is_scored_as_its_network(trained: Candidate, digits: Dataset) -> None:
    file = FileTarget(target_here(imgsz=96, batch=5)).exported(trained)  # 24 images: the last batch is filled up
    found = evaluate_exported(file, trained, digits, "val", confidence=0.5, iou=0.5)
    on_squares = detections.detect_exported(deployed(trained), digits, "val", imgsz=96, batch=16, iou=0.5)
    expected = evaluation_of(on_squares, "val", len(digits.classes), confidence=0.5, iou=0.5)
    assert found.map50_95 == pytest.approx(expected.map50_95, abs=1e-3)


def test_the_batch_size_changes_nothing(trained: Candidate, digits: Dataset) -> None:
    small, large = (evaluate(trained, digits, "val", batch=batch) for batch in (5, 24))
    assert small.map50_95 == pytest.approx(large.map50_95, abs=1e-4)  # float32 sums in another order


# Known answers -------------------------------------------------------------------------------------------------

Rule = Callable[[int, Tensor], tuple[float, float]]


class Answers(nn.Module):
    """Detector that finds every label of its images; a rule gives the confidence and box width of each detection."""

    stride = torch.tensor([32.0])

    def __init__(self, data: Dataset, split: str, rule: Rule) -> None:
        super().__init__()
        self.rule = rule
        self.known: dict[bytes, tuple[Tensor, Tensor]] = {}
        dataset = detection_dataset(data, split, imgsz=96, batch=16, augment=None, rect=True)
        for i in range(len(dataset)):
            sample = dataset[i]
            scale = torch.tensor(sample["img"].shape[1:])[[1, 0, 1, 0]]
            self.known[sample["img"].numpy().tobytes()] = (sample["cls"][:, 0], sample["bboxes"] * scale)

    def fuse(self, verbose: bool) -> nn.Module:
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Return detections `(N, 4 + 10, 8)`: box centre, width and height in px, then a score for each class."""
        output = torch.zeros(len(images), 14, 8)
        for image, out in zip(images, output, strict=True):
            classes, boxes = self.known[(image * 255).round().byte().numpy().tobytes()]
            for slot, (label, box) in enumerate(zip(classes.int().tolist(), boxes, strict=True)):
                confidence, width = self.rule(label, box)
                out[:4, slot] = box * torch.tensor([1, 1, width, 1])
                out[4 + label, slot] = confidence
        return output


def answered(data: Dataset, rule: Rule, **arguments: Any) -> Evaluation:
    known = dataclasses.replace(candidate(width=0.125), network=Answers(data, "test", rule), classes=data.classes)
    return evaluate(known, data, "test", **arguments)


def test_a_perfect_detector_gets_the_best_scores(digits: Dataset) -> None:
    found = answered(digits, lambda label, box: (0.9, 1.0))
    assert found.images == 24
    # 0.995: Ultralytics integrates from the last recall point with precision 0
    assert found.map50_95 == pytest.approx(0.995, abs=1e-3)
    assert (found.precision, found.recall, found.f1) == (1.0, 1.0, 1.0)
    assert found.best_f1 == pytest.approx(1.0, abs=1e-6)


def test_detections_below_the_confidence_do_not_count(digits: Dataset) -> None:
    def rule(label: int, box: Tensor) -> tuple[float, float]:
        return (0.3 if label == 3 else 0.9), 1.0

    found = answered(digits, rule)
    assert found.precision == pytest.approx(0.9)  # one of ten classes has no detection left
    assert found.recall == pytest.approx(0.9)
    assert found.f1 == pytest.approx(0.9)
    assert found.map50_95 == pytest.approx(0.995, abs=1e-3)
    assert found.best_f1 == pytest.approx(1.0, abs=1e-6)
    assert found.best_f1_confidence < 0.3
    lower = answered(digits, rule, confidence=0.3)
    assert (lower.precision, lower.recall, lower.f1) == (1.0, 1.0, 1.0)
    assert lower.confidence == 0.3


def test_detections_match_at_the_requested_iou(digits: Dataset) -> None:
    def rule(label: int, box: Tensor) -> tuple[float, float]:
        return 0.9, 0.72  # a box inside the right one, with 0.72 of its width: IoU 0.72

    strict, loose = (answered(digits, rule, iou=iou) for iou in (0.8, 0.7))
    assert (strict.f1, strict.best_f1, loose.f1) == (0.0, 0.0, 1.0)
    assert strict.map50_95 == loose.map50_95 == pytest.approx(0.995 * 5 / 10, abs=1e-3)  # 0.50 to 0.70 of 0.95
    assert strict.map50 == pytest.approx(0.995, abs=1e-3)


def test_mistakes_are_counted_by_class(digits: Dataset) -> None:
    def rule(label: int, box: Tensor) -> tuple[float, float]:
        return 0.9, (0.1 if label in (1, 2) else 1.0)  # all boxes of two classes miss

    found = answered(digits, rule)
    assert (found.precision, found.recall, found.f1) == pytest.approx((0.8, 0.8, 0.8))
    assert found.ap_per_class[1] == found.ap_per_class[2] == 0
    assert min(found.ap_per_class[3:]) > 0.99


def test_a_class_without_labels_in_the_split_does_not_count(digits: Dataset) -> None:
    more = dataclasses.replace(digits, classes=(*digits.classes, "none"), key="eleven classes")

    class Eleven(Answers):
        def forward(self, images: Tensor) -> Tensor:
            return torch.cat([super().forward(images), torch.zeros(len(images), 1, 8)], 1)

    network = Eleven(more, "test", lambda label, box: (0.9, 1.0))
    found = evaluate(dataclasses.replace(candidate(width=0.125), network=network, classes=more.classes), more, "test")
    assert found.precision == found.recall == 1.0
    assert found.ap_per_class[-1] == -1.0


def test_the_curves_run_from_all_detections_to_none(trained: Candidate, digits: Dataset) -> None:
    curves = evaluate(trained, digits, "val").curves
    assert curves is not None
    assert len(curves.confidence) == len(curves.precision) == len(curves.recall) == len(curves.f1) == 101
    assert curves.confidence[0] == 0.0
    assert curves.confidence[-1] == 1.0
    assert (np.diff(curves.confidence) > 0).all()
    assert (np.diff(curves.recall) <= 1e-9).all()  # fewer detections never find more
    assert curves.recall[-1] == curves.f1[-1] == 0


# Faults --------------------------------------------------------------------------------------------------------


def test_an_output_that_is_not_finite_is_the_candidates_fault(trained: Candidate, digits: Dataset) -> None:
    network: Any = copy.deepcopy(trained.network)
    network.model[0].conv.weight.data[0, 0, 0, 0] = float("nan")
    with pytest.raises(CandidateError, match="'val' holds NaN"):
        evaluate(dataclasses.replace(trained, network=network), digits, "val")


def test_running_out_of_memory_is_the_candidates_fault(
    trained: Candidate, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hungry(*_: Any) -> float:
        torch.empty(1 << 60)
        return 0.0

    monkeypatch.setattr(detections, "share_device", hungry)
    with pytest.raises(CandidateError, match="out of memory with batch 16 at 96 px on cpu"):
        evaluate(trained, digits, "val")


def test_other_errors_are_passed_on(trained: Candidate, digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> float:
        raise KeyboardInterrupt

    monkeypatch.setattr(detections, "share_device", interrupted)
    with pytest.raises(KeyboardInterrupt):
        evaluate(trained, digits, "val")


def test_arguments_out_of_range_are_refused(trained: Candidate, digits: Dataset) -> None:
    with pytest.raises(SpaceError, match="confidence 2 must lie in"):
        evaluate(trained, digits, "val", confidence=2)
    with pytest.raises(SpaceError, match="no split 'dev'"):
        evaluate(trained, digits, "dev")
    with pytest.raises(SpaceError, match="the network has 1 classes, data 'digits' 10"):
        evaluate(dataclasses.replace(trained, classes=("x",)), digits, "val")


def test_nothing_is_printed_written_or_drawn(
    trained: Candidate, digits: Dataset, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    files = set(digits.yaml.parent.rglob("*"))
    generators = torch.get_rng_state(), str(np.random.get_state())
    evaluate(trained, digits, "val")
    assert capfd.readouterr() == ("", "")
    assert set(digits.yaml.parent.rglob("*")) == files
    assert not list(tmp_path.iterdir())
    assert torch.equal(torch.get_rng_state(), generators[0])
    assert str(np.random.get_state()) == generators[1]


def test_the_loss_is_computed_on_request(trained: Candidate, digits: Dataset) -> None:
    before = state_of(trained.network)
    with_loss = score(trained.network, digits, "val", imgsz=96, loss=True)
    assert 0 < with_loss.loss < 50
    fresh = score(candidate("yolov8n.yaml", width=0.125).network, digits, "val", imgsz=96, loss=True)
    assert fresh.loss > with_loss.loss  # training has lowered it
    assert unchanged(trained.network, before)
