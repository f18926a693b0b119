"""Confusion matrices: each label and each box is counted once, and a classifier's most probable class counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from objectives.data.dataset import open_dataset
from objectives.data.digit_scenes import write_digits
from objectives.tasks.registry import task_named
from objectives.training.confusion import confusion_matrix
from objectives.training.detections import detect
from spaces.networks.checkpoint import load
from spaces.networks.parent import Parent
from tests.spaces.trained_look import make_look_trained
from tests.tree import ROOT

TRAINED = ROOT / "benchmarks/tables/digits/networks/parent"
SCENES = {"train": 4, "val": 12, "test": 4}


def test_each_label_and_each_box_is_counted_once(tmp_path: Path) -> None:
    data = open_dataset(str(write_digits(tmp_path / "scenes", scenes=SCENES)), tmp_path / "cache")
    network, classes = load(TRAINED), len(data.classes)
    found = detect(network, data, "val")
    labels = np.bincount(found.labelled.astype(int), minlength=classes)
    loose, strict = (confusion_matrix(network, data, "val", confidence=least) for least in (0.25, 0.9))
    for matrix, least in ((loose, 0.25), (strict, 0.9)):
        assert matrix.shape == (classes + 1, classes + 1)
        assert matrix[:, :classes].sum(0).tolist() == labels.tolist()
        assert matrix[:classes].sum() == (found.confidence > least).sum()
    assert np.trace(loose[:classes, :classes]) > 0.8 * labels.sum(), "its mAP50 is above 0.9"
    assert strict[classes].sum() > loose[classes].sum(), "fewer are found at a high confidence"


def test_a_classifier_has_neither_missed_nor_invented_pictures(tmp_path: Path) -> None:
    scenes = {"train": 4, "val": 3, "test": 2}
    data = open_dataset("digits-cls", tmp_path, scenes=scenes, task=task_named("classify"))
    parent = Parent.load("yolo11n-cls.yaml", classes=data.classes, imgsz=64)
    make_look_trained(parent.network, seed=1)
    matrix, found = confusion_matrix(parent.as_candidate(), data, "val"), detect(parent.as_candidate(), data, "val")
    assert found.top is not None and matrix.shape == (len(data.classes),) * 2
    assert matrix.sum() == found.images and np.trace(matrix) == pytest.approx(found.top[0] * found.images)
