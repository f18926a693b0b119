"""Gradients of the loss on real images, and their prediction of the loss without a channel."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import spaces.offline  # noqa: F401  (before ultralytics)
from objectives.data.dataset import Dataset
from objectives.data.loader import detection_dataset
from objectives.recipe import Recipe
from objectives.training.batchnorm import reestimate
from objectives.training.gradients import gradients
from spaces.base import Candidate, CandidateError
from spaces.networks.parent import Parent
from spaces.ranking.importance import scores
from tests.objectives.networks import half_width_parent, state_of, unchanged


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    """Several threads on a busy machine wait for each other: a hundred times slower."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def parent(digits: Dataset) -> Parent:
    """A yolov8 of half of n's width, untrained."""
    return half_width_parent(digits.classes)


@pytest.fixture(scope="module")
def candidate(parent: Parent, digits: Dataset) -> Candidate:
    """The parent with the statistics of its data."""
    return reestimate(parent.candidate(), digits, Recipe(batch=16, imgsz=96, mosaic=0.0, fliplr=0.0), batches=3)


@pytest.fixture(scope="module")
def batches(digits: Dataset) -> list[dict[str, Any]]:
    """All training images in three batches."""
    images = detection_dataset(digits, "train", imgsz=96, batch=16, augment=None, rect=False)
    made = [images.collate_fn([images[i] for i in range(start, start + 16)]) for start in (0, 16, 32)]
    return [{**batch, "img": batch["img"].float() / 255} for batch in made]


def test_gradients_are_those_of_the_deployed_network(
    candidate: Candidate, digits: Dataset, batches: list[dict[str, Any]]
) -> None:
    found = gradients(candidate, digits, imgsz=96, batches=3, batch=16)
    network: Any = copy.deepcopy(candidate.network).eval()
    for batch in batches:
        (network.loss(batch)[0].sum() / 16 / 3).backward()
    for name, parameter in network.named_parameters():
        expected = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        # float32 sums over many pixels, here in another order of batches and halvings.
        torch.testing.assert_close(found[name], expected, rtol=1e-3, atol=1e-5 * float(expected.abs().max()) + 1e-12)


def test_the_candidate_and_its_statistics_are_unchanged(candidate: Candidate, digits: Dataset) -> None:
    before = state_of(candidate.network)
    found = gradients(candidate, digits, imgsz=96, batch=8)
    assert unchanged(candidate.network, before)
    assert all(parameter.grad is None for parameter in candidate.network.parameters())
    assert {name: tensor.shape for name, tensor in found.items()} == {
        name: parameter.shape for name, parameter in candidate.network.named_parameters()
    }


def test_the_same_images_give_the_same_gradients(candidate: Candidate, digits: Dataset) -> None:
    first, second = (gradients(candidate, digits, imgsz=96, batch=8) for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    other = gradients(candidate, digits, imgsz=96, batch=8, batches=2)
    assert not torch.equal(first["model.0.conv.weight"], other["model.0.conv.weight"])


def test_with_batch_statistics_weights_before_a_batch_norm_have_hardly_any_effect(
    candidate: Candidate, digits: Dataset, batches: list[dict[str, Any]]
) -> None:
    name = "model.3.conv.weight"
    network: Any = copy.deepcopy(candidate.network).train()
    (network.loss(batches[0])[0].sum() / 16).backward()
    weight = network.get_parameter(name)
    ours = gradients(candidate, digits, imgsz=96, batch=16)[name]
    # Observed: 0.07; not 0, because BatchNorm adds eps to the variance.
    assert _share(weight, weight.grad) < 0.2 * _share(weight, ours)


def test_taylor_predicts_the_loss_without_a_channel(
    parent: Parent, candidate: Candidate, digits: Dataset, batches: list[dict[str, Any]]
) -> None:
    found = gradients(candidate, digits, imgsz=96, batches=3, batch=16)  # all images; the loss is of a third of them
    predicted = list(scores(candidate, parent, "taylor", gradients=found)["model.9.cv1"].values())
    network: Any = copy.deepcopy(candidate.network).eval()
    norm = network.get_submodule("model.9.cv1.bn")  # the only one of its group
    whole = _loss(network, batches[0])
    changes = []
    for channel in range(len(predicted)):
        before = norm.weight[channel].item(), norm.bias[channel].item()
        with torch.no_grad():
            norm.weight[channel], norm.bias[channel] = 0.0, 0.0
            changes.append(abs(_loss(network, batches[0]) - whole))
            norm.weight[channel], norm.bias[channel] = before
    # Observed: 0.66. By chance it would exceed 0.4 over 64 channels in only one of a thousand cases.
    assert _rank_correlation(predicted, changes) > 0.5


def test_gradients_that_are_not_finite_are_the_candidates_fault(candidate: Candidate, digits: Dataset) -> None:
    broken = copy.deepcopy(candidate)
    broken.network.get_parameter("model.3.bn.weight").data[0] = math.inf
    with pytest.raises(CandidateError, match="gradient of 'model"):
        gradients(broken, digits, imgsz=96, batch=4)


@pytest.mark.parametrize(("batches", "batch"), [(0, 4), (1, 0)])
def test_zero_batches_and_empty_batches_are_refused(
    candidate: Candidate, digits: Dataset, batches: int, batch: int
) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        gradients(candidate, digits, imgsz=96, batches=batches, batch=batch)


def _share(weight: Tensor, gradient: Tensor) -> float:
    """Return the sum over channels of |sum of w * g|, as a share of the sum of all |w * g|."""
    product = (weight * gradient).detach()
    return float(product.flatten(1).sum(1).abs().sum() / product.abs().sum())


def _loss(network: Any, batch: dict[str, Any]) -> float:
    with torch.no_grad():
        return float(network.loss(batch)[0].sum())


def _rank_correlation(first: list[float], second: list[float]) -> float:
    ranks = [np.argsort(np.argsort(values)) for values in (first, second)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])
