"""Networks for masks, keypoints, oriented boxes and classes are cut as exactly as detectors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from spaces.networks import checkpoint
from spaces.networks.cost_formula import CostFormula
from spaces.networks.deployed import fused
from spaces.networks.graft import Donor, graft
from spaces.networks.parent import Parent
from spaces.ranking.importance import scores
from spaces.structure.heads import HEADS, task_of
from tests.spaces.silencing import (
    DOUBLE_TOLERANCE,
    TOLERANCE,
    differences,
    distance,
    images,
    outputs,
    random_spec,
    rolled,
)
from tests.spaces.trained_look import make_look_trained

GROUPS = {
    "yolo11n-seg": 76,
    "yolo11n-pose": 73,
    "yolo11n-obb": 73,
    "yolo11n-cls": 32,
    "yolo26n-seg": 103,
    "yolo26n-pose": 97,
}
MORE_GROUPS = {
    "yolov8n-seg": 68,
    "yolov8n-pose": 65,
    "yolov8n-obb": 65,
    "yolov8n-cls": 24,
    "yolo26n-obb": 97,
    "yolo26n-cls": 32,
    "yolov9c-seg": 144,
    "yolov8n-seg-p6": 90,
    "yolo12n-seg": 77,
}
ALL = [*GROUPS.items(), *(pytest.param(*each, marks=pytest.mark.slow) for each in MORE_GROUPS.items())]


@pytest.fixture(scope="module")
def loaded() -> Callable[[str], Parent]:
    parents: dict[str, Parent] = {}

    def load(model: str) -> Parent:
        if model not in parents:
            parents[model] = Parent.load(f"{model}.yaml", classes=3, imgsz=64)
            make_look_trained(parents[model].network, seed=0)
        return parents[model]

    return load


@pytest.mark.parametrize(("model", "groups"), ALL)
def test_a_cut_is_the_parent_with_those_channels_silenced(
    loaded: Callable[[str], Parent], model: str, groups: int
) -> None:
    parent = loaded(model)
    assert (len(parent.groups), parent.structure.unknown_operations) == (groups, ())
    spec = random_spec(parent, 0.6, seed=3)
    right, wrong = differences(parent, spec, spec, rolled(spec))
    assert right < TOLERANCE
    assert wrong > 1e-2
    assert differences(parent, spec, spec, train=True, dtype=torch.float64)[0] < DOUBLE_TOLERANCE


@pytest.mark.parametrize("model", GROUPS)
def test_costs_follow_from_the_widths(loaded: Callable[[str], Parent], model: str) -> None:
    parent = loaded(model)
    spec = random_spec(parent, 0.5, seed=1)
    costs = CostFormula.of(parent).costs((spec,))
    network, counter = fused(parent.build(spec).network), FlopCounterMode(display=False)
    with torch.inference_mode(), counter:
        network(torch.zeros(1, 3, 64, 64))
    assert costs.parameters.tolist() == [sum(parameter.numel() for parameter in network.parameters())]
    assert costs.flops.tolist() == [counter.get_total_flops()]


@pytest.mark.parametrize("model", ["yolo11n-seg", "yolo11n-cls"])
def test_a_checkpoint_gives_the_same_network_again(loaded: Callable[[str], Parent], model: str, tmp_path: Path) -> None:
    parent = loaded(model)
    candidate = parent.build(random_spec(parent, 0.5, seed=2))
    checkpoint.save(candidate, tmp_path / "saved")
    again: Any = checkpoint.load(tmp_path / "saved")
    assert distance(outputs(again.network, images()), outputs(candidate.network, images())) == 0
    assert (
        (again.network.task, task_of(again.network)) == (again.network.args.task,) * 2 == (task_of(parent.network),) * 2
    )


@pytest.mark.parametrize("model", ["yolo11n-seg", "yolo11n-cls"])
def test_a_graft_has_the_backbone_of_one_donor_and_the_head_of_another(
    loaded: Callable[[str], Parent], model: str
) -> None:
    parent = loaded(model)
    one = Donor("a" * 32, parent.build(random_spec(parent, 0.7, seed=4)))
    other = Donor("b" * 32, parent.build(random_spec(parent, 0.5, seed=5)))
    with torch.no_grad():
        for parameter in other.candidate.network.parameters():
            parameter.add_(0.01)
    joined = graft(backbone=one, head=other, parent=parent)
    head = f"model.{len(parent.layer_sections) - 1}."
    theirs, ours = other.candidate.network.state_dict(), joined.network.state_dict()
    inner = [name for name, tensor in ours.items() if name.startswith(head) and "proto.upsample" in name]
    inner += [f"{head}linear.weight"] if model.endswith("cls") else []
    assert inner
    assert all(torch.equal(ours[name], theirs[name]) for name in inner)


def test_prototypes_are_ranked_by_the_weights_that_make_and_read_them(loaded: Callable[[str], Parent]) -> None:
    parent = loaded("yolo11n-seg")
    group = next(each for each in parent.groups if each.name.endswith("proto.upsample"))
    state = parent.network.state_dict()
    made = state["model.23.proto.upsample.weight"].double().square().sum((0, 2, 3))  # (in, out, h, w)
    read = state["model.23.proto.cv2.conv.weight"].double().square().sum((0, 2, 3))  # (out, in, h, w)
    found = scores(parent.as_candidate(), parent)[group.name]
    assert list(found.values()) == pytest.approx((made + read).tolist())


def test_each_head_has_a_network_class_and_a_task() -> None:
    assert {kind.task for kind in HEADS.values()} == {"detect", "segment", "pose", "obb", "classify"}
    assert all(isinstance(kind.network_class, type) and isinstance(kind.head_class, type) for kind in HEADS.values())
