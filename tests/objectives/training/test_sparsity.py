"""L1 penalty on BatchNorm scales: a single step, the scales that it shrinks, and its effect in a training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from objectives.data.dataset import Dataset
from objectives.recipe import Recipe
from objectives.training.sparsity import attach, cuttable_scales, shrink
from objectives.training.training import train
from spaces.base import Candidate
from spaces.networks.parent import Parent
from tests.objectives.networks import candidate

RECIPE = Recipe(epochs=2, batch=16, imgsz=96, optimizer="SGD", lr0=0.01, warmup_epochs=0, mosaic=0.0, fliplr=0.0)


def mean_scale(trained: Candidate) -> float:
    return float(torch.cat([scale.detach().abs() for scale in cuttable_scales(trained.network)]).mean())


def test_a_step_moves_every_scale_towards_zero_and_not_beyond() -> None:
    scales = torch.tensor([1.0, -1.0, 0.05, -0.05, 0.0])
    shrink([scales], 0.1)
    assert torch.allclose(scales, torch.tensor([0.9, -0.9, 0.0, 0.0, 0.0]))


@pytest.mark.parametrize("clipped", [False, True])
def test_the_penalty_is_neither_clipped_nor_normalised_with_the_gradient(clipped: bool) -> None:
    norm = nn.BatchNorm2d(4)
    optimizer = torch.optim.AdamW(norm.parameters(), lr=0.1, weight_decay=0.0)
    attach(optimizer, norm, strength=0.5)
    norm.weight.grad = torch.zeros(4)  # Adam turns any gradient that is not zero into a step of lr
    if clipped:
        nn.utils.clip_grad_norm_(norm.parameters(), 1e-9)
    optimizer.step()
    assert torch.allclose(norm.weight, torch.full((4,), 1 - 0.1 * 0.5))
    assert torch.equal(norm.bias, torch.zeros(4))


def test_the_penalty_shrinks_the_scales_by_the_sum_of_the_learning_rates(digits: Dataset, tmp_path: Path) -> None:
    small = candidate(width=0.0625)
    plain = train(small, RECIPE, digits, seed=0, scratch=tmp_path).candidate
    thinned = train(small, RECIPE.with_values(sparsity=5.0), digits, seed=0, scratch=tmp_path).candidate
    steps = [0.01, 0.01, 0.01, 0.00505, 0.00505, 0.00505]  # three batches an epoch, linear to lr0 * lrf
    # Gradients counteract the penalty, and the moving average starts from the full scales: so half of it is enough.
    assert mean_scale(plain) - mean_scale(thinned) > 0.5 * 5.0 * sum(steps[:4])


def test_all_scales_that_can_be_cut_are_penalised_but_not_those_inside_attention() -> None:
    network = Parent.load("yolo11n.yaml", classes=2, imgsz=64).network
    named = {id(module.weight): name for name, module in network.named_modules() if isinstance(module, nn.BatchNorm2d)}
    reached = {named[id(scale)] for scale in cuttable_scales(network)}
    missed = set(named.values()) - reached
    assert missed
    assert all(".attn." in name for name in missed)
    assert not any(".attn." in name for name in reached)
