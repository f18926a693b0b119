"""Sensitivity maps, measured on real images."""

from __future__ import annotations

import pytest
import torch

import spaces.offline  # noqa: F401  (before ultralytics)
from objectives.data.dataset import Dataset
from objectives.training.sensitivity import sensitivity
from spaces.allocation.sensitivity import SensitivityMap
from spaces.base import SpaceError
from spaces.networks.parent import Parent

# isort: split
from ultralytics.nn.tasks import yaml_model_load

NAMES = ("model.1", "model.2.cv1", "model.7", "model.22.cv2.0.0")  # one of them a tie


@pytest.fixture(scope="module")
def lopsided() -> Parent:
    """Return a parent of half of n's width, in which no layer reads the output of `model.7`."""
    torch.set_num_threads(1)
    structure = yaml_model_load("yolov8n.yaml") | {"scales": {"n": [0.33, 0.125, 1024]}, "scale": "n"}
    parent = Parent.load(structure, classes=10, imgsz=64, seed=0)
    state = parent.network.state_dict()
    for member in next(group for group in parent.groups if group.name == "model.7").members:
        if member.side == "in":
            state[f"{member.module}.weight"].zero_()
    return parent


@pytest.fixture(scope="module")
def measured(lopsided: Parent, digits: Dataset) -> SensitivityMap:
    return sensitivity(lopsided, digits, imgsz=64, names=NAMES, ratios=(0.5,), images=4, batch=4)


def test_each_group_and_each_tie_has_a_value_for_each_ratio(measured: SensitivityMap, lopsided: Parent) -> None:
    assert set(measured.values) == set(NAMES)
    assert all(len(values) == 1 for values in measured.values.values())


def test_cutting_a_group_that_no_layer_reads_does_not_change_the_loss(measured: SensitivityMap) -> None:
    # float32 sums of other lengths.
    assert measured.values["model.7"][0] == pytest.approx(measured.whole, rel=1e-4)
    others = [values[0] for name, values in measured.values.items() if name != "model.7"]
    assert max(abs(value / measured.whole - 1) for value in others) > 1e-3


def test_the_analysis_is_repeatable_and_leaves_the_parent_unchanged(
    lopsided: Parent, digits: Dataset, measured: SensitivityMap
) -> None:
    before = {name: tensor.clone() for name, tensor in lopsided.network.state_dict().items()}
    assert sensitivity(lopsided, digits, imgsz=64, names=NAMES, ratios=(0.5,), images=4, batch=4) == measured
    assert all(torch.equal(tensor, lopsided.network.state_dict()[name]) for name, tensor in before.items())


def test_the_analysis_can_measure_map(lopsided: Parent, digits: Dataset) -> None:
    whole = sensitivity(lopsided, digits, imgsz=64, names=("model.7",), ratios=(0.5,), images=2, measure="map50_95")
    assert whole.measure == "map50_95"
    assert 0 <= whole.whole <= 1


@pytest.mark.parametrize("ratios", [(), (0.5, 0.25), (0.5, 1.0), (0.0,)])
def test_ratios_that_cut_nothing_or_everything_are_refused(
    lopsided: Parent, digits: Dataset, ratios: tuple[float, ...]
) -> None:
    with pytest.raises(SpaceError, match="must be ascending and within"):
        sensitivity(lopsided, digits, imgsz=64, ratios=ratios)
