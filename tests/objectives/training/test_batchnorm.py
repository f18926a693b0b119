"""BatchNorm statistics after a cut: they are the right average, and they improve accuracy."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, cast

import pytest
import torch
from pytest import MonkeyPatch
from torch import nn

import spaces.offline  # noqa: F401  (before ultralytics)
from objectives.data.dataset import Dataset
from objectives.data.loader import detection_dataset
from objectives.recipe import AUGMENTATION, Recipe
from objectives.training import batchnorm
from objectives.training.accuracy import evaluate
from objectives.training.batchnorm import reestimate
from objectives.training.training import Trained, train
from spaces.allocation.uniform import uniform
from spaces.networks.parent import Parent
from tests.objectives.networks import candidate, half_width_parent, state_of, unchanged

pytestmark = pytest.mark.slow

SETTLING = Recipe(batch=16, imgsz=96, mosaic=0.0, fliplr=0.0)
STILL = Recipe(batch=16, imgsz=96, **dict.fromkeys(AUGMENTATION[:-1], 0.0))  # type: ignore[arg-type]  # numbers all
RECIPE = Recipe(epochs=10, batch=4, imgsz=96, optimizer="SGD", warmup_epochs=1, mosaic=0.0, fliplr=0.0, val_every=5)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    """Several threads on a busy machine wait for each other: a hundred times slower."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def parent(digits: Dataset) -> Parent:
    """A yolov8 of half of n's width, untrained."""
    return half_width_parent(digits.classes)


@pytest.fixture(scope="module")
def trained(parent: Parent, digits: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Return a network that was trained on 48 scenes for ten epochs: enough to find some digits."""
    return train(parent.candidate(), RECIPE, digits, seed=0, scratch=tmp_path_factory.mktemp("scratch"))


def test_the_trained_candidate_has_the_score_of_its_learning_curve(trained: Trained, digits: Dataset) -> None:
    expected = {result.epoch: result.map50_95 for result in trained.history}[trained.kept_epoch]
    # The kept weights are fused for the evaluation: rounding may move a detection over a threshold.
    assert evaluate(trained.candidate, digits, "val").map50_95 == pytest.approx(expected, abs=0.002)
    assert expected > 0.02


def test_after_a_cut_accuracy_is_better_with_statistics_of_the_cut_network(
    parent: Parent, trained: Trained, digits: Dataset
) -> None:
    finished = parent.with_weights(trained.candidate)
    cut = finished.build(uniform(finished, 0.7, multiple=1))
    mended = reestimate(cut, digits, SETTLING, batches=3)
    # Observed: 0.004 and 0.011 without, 0.047 and 0.068 with.
    assert evaluate(mended, digits, "val").map50_95 > 1.5 * evaluate(cut, digits, "val").map50_95


def test_statistics_are_the_plain_average_over_training_images(digits: Dataset) -> None:
    small = candidate(width=0.0625)
    found = reestimate(small, digits, STILL, batches=3).network.get_submodule("model.0.bn")
    images = detection_dataset(digits, "train", imgsz=96, batch=16, augment=None, rect=False)
    convolution = small.network.get_submodule("model.0.conv")
    with torch.inference_mode():
        outputs = [convolution(torch.stack([images[i]["img"] for i in part]).float() / 255) for part in _thirds(48)]
    mean = torch.stack([output.mean((0, 2, 3)) for output in outputs]).mean(0)
    variance = torch.stack([output.var((0, 2, 3)) for output in outputs]).mean(0)
    torch.testing.assert_close(found.running_mean, mean, rtol=1e-4, atol=1e-6)  # float32, sums in another order
    torch.testing.assert_close(found.running_var, variance, rtol=1e-4, atol=1e-6)


def test_the_candidate_is_unchanged_and_momentum_and_mode_are_restored(digits: Dataset) -> None:
    small = candidate(width=0.0625)
    before = state_of(small.network)
    network = reestimate(small, digits, SETTLING, batches=1).network
    assert unchanged(small.network, before)
    stock = [module.momentum for module in small.network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert [module.momentum for module in network.modules() if isinstance(module, nn.BatchNorm2d)] == stock
    assert not network.training
    assert all(torch.equal(x, y) for x, y in zip(network.parameters(), small.network.parameters(), strict=True))
    assert not any(tensor.is_inference() for tensor in network.state_dict().values())  # it can be trained


def test_images_are_augmented_as_in_the_last_epochs_of_a_training(digits: Dataset, monkeypatch: MonkeyPatch) -> None:
    seen: list[Mapping[str, Any]] = []

    def asked(*arguments: Any, augment: Mapping[str, Any], **more: Any) -> Any:
        seen.append(augment)
        return detection_dataset(*arguments, augment=augment, **more)

    monkeypatch.setattr(batchnorm, "detection_dataset", asked)
    reestimate(candidate(width=0.0625), digits, SETTLING.with_values(mosaic=1.0, mixup=0.5, degrees=5.0), batches=1)
    (augment,) = seen
    assert (augment["scale"], augment["degrees"]) == (SETTLING.scale, 5.0)
    assert (augment["mosaic"], augment["mixup"]) == (0.0, 0.0)


def test_re_estimation_is_deterministic_and_leaves_the_global_generators_unchanged(digits: Dataset) -> None:
    small = candidate(width=0.0625)
    random.seed(7)
    first = state_of(reestimate(small, digits, SETTLING, batches=1).network)
    drawn = random.random()
    random.seed(7)
    assert random.random() == drawn
    random.seed(8)
    assert unchanged(reestimate(small, digits, SETTLING, batches=1).network, first)


def test_a_batch_of_one_becomes_two_because_a_variance_needs_them(digits: Dataset) -> None:
    found = reestimate(candidate(width=0.0625), digits, SETTLING.with_values(batch=1), batches=1)
    variance = found.network.get_submodule("model.0.bn").running_var
    assert variance is not None and bool(torch.isfinite(cast(torch.Tensor, variance)).all())


def test_zero_batches_are_refused(digits: Dataset) -> None:
    with pytest.raises(ValueError, match="needs at least 1"):
        reestimate(candidate(width=0.0625), digits, SETTLING, batches=0)


def _thirds(count: int) -> list[range]:
    return [range(start, start + count // 3) for start in range(0, count, count // 3)]
