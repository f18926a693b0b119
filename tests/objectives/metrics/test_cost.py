"""Cost: exact figures of the deployed network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from objectives.metrics.cost import Cost, count_parameters
from spaces.base import Candidate, CandidateError
from spaces.networks.checkpoint import WEIGHTS, save
from spaces.networks.deployed import deployed
from spaces.networks.parent import Parent
from tests.objectives.metrics.objective_contract import ExactContract
from tests.objectives.networks import candidate


class TestCost(ExactContract):
    @pytest.fixture
    def objective(self) -> Cost:
        return Cost(count_parameters(candidate()))


def figures(measured: Candidate) -> dict[str, float]:
    return {entry.name: entry.value for entry in Cost(count_parameters(candidate())).measure(measured)}


def convolution_flops(network: nn.Module, imgsz: int) -> int:
    """2 x multiply-adds of all convolutions, by the textbook: output positions x weights."""
    total = 0

    def add(module: nn.Module, _: object, output: torch.Tensor) -> None:
        nonlocal total
        assert isinstance(module, nn.Conv2d)
        total += 2 * output.shape[2] * output.shape[3] * module.weight.numel()

    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(add)
    with torch.inference_mode():
        network(torch.zeros(1, 3, imgsz, imgsz))
    return total


@pytest.mark.parametrize("imgsz", [96, 160])
def test_flops_are_twice_the_multiply_adds_of_the_fused_convolutions(imgsz: int) -> None:
    model = candidate(imgsz=imgsz)
    # yolov8n multiplies matrices in convolutions alone, so the two counts are equal to the last digit
    assert figures(model)["flops_g"] * 1e9 == pytest.approx(convolution_flops(deployed(model), imgsz), abs=0.5)


def test_the_stock_model_has_the_published_parameters_and_flops() -> None:
    from ultralytics.nn.tasks import DetectionModel

    stock = candidate()
    network = DetectionModel("yolov8n.yaml", nc=80, verbose=False)
    full = Candidate(stock.spec, stock.origin, network, tuple(map(str, range(80))), 640)
    assert count_parameters(full) == 3_151_904  # Ultralytics: YOLOv8n summary (fused)
    flops_g = {entry.name: entry.value for entry in Cost(3_151_904).measure(full)}["flops_g"]
    assert flops_g == pytest.approx(8.7, abs=0.1)  # Ultralytics' table says 8.7, rounded


def test_the_uncut_parent_has_nothing_pruned_and_a_narrow_one_has() -> None:
    assert figures(candidate())["share_pruned"] == 0.0
    assert 0.5 < figures(candidate(width=0.125))["share_pruned"] < 0.9


def test_the_file_size_is_that_of_a_saved_checkpoint(tmp_path: Path) -> None:
    model = Parent.load("yolov8n.yaml", classes=10, imgsz=96).candidate()
    save(model, tmp_path / "saved", half=True)
    saved = (tmp_path / "saved" / WEIGHTS).stat().st_size
    assert figures(model)["size_mib"] * 2**20 == saved


def test_the_branch_that_only_training_needs_is_not_counted() -> None:
    model = candidate("yolov10n.yaml")
    assert count_parameters(model) < 0.9 * sum(parameter.numel() for parameter in model.network.parameters())


def test_an_image_size_between_strides_is_rounded_up_as_ultralytics_does() -> None:
    between = Candidate(**{**vars(candidate()), "imgsz": 100})
    assert figures(between)["flops_g"] == figures(candidate(imgsz=128))["flops_g"]


def test_a_network_that_does_not_run_is_the_candidates_fault() -> None:
    broken = candidate(width=0.125)
    broken = Candidate(**{**vars(broken), "network": _with_wrong_input(broken.network)})
    with pytest.raises(CandidateError, match="does not run on an image of 96 px"):
        Cost(1).measure(broken)


def _with_wrong_input(network: nn.Module) -> nn.Module:
    import copy

    broken = copy.deepcopy(network)
    first: Any = broken.model[0]  # type: ignore[index]
    first.conv = nn.Conv2d(4, first.conv.out_channels, 3, 2, 1, bias=False)
    return broken
