"""Training through Ultralytics' real trainer: a few seconds on a handful of real scenes."""

from __future__ import annotations

import copy
import logging
import math
import random
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import spaces.offline  # noqa: F401  (before ultralytics)
from objectives.base import EpochResult
from objectives.data.dataset import Dataset
from objectives.recipe import Recipe, RecipeError
from objectives.tasks import base as tasks
from objectives.training.training import Trained, train
from spaces.base import Candidate, CandidateError
from spaces.networks.parent import Parent
from tests.objectives.networks import candidate, state_of, unchanged

# isort: split
from ultralytics.utils import LOGGER

RECIPE = Recipe(epochs=3, batch=16, imgsz=96, optimizer="AdamW", lr0=0.002, warmup_epochs=0, mosaic=0.0, fliplr=0.0)
ONE_EPOCH = RECIPE.with_values(epochs=1)


@pytest.fixture(scope="module")
def small() -> Candidate:
    """A stock yolov8 at a quarter of n's width, which trains in a second."""
    return candidate(width=0.0625)


@pytest.fixture(scope="module")
def trained(small: Candidate, digits: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The small network after three epochs."""
    return train(small, RECIPE, digits, seed=0, scratch=tmp_path_factory.mktemp("scratch"))


def broken_by(hook: Any) -> Candidate:
    """The small network with a hook that runs in its first convolution."""
    whole = candidate(width=0.0625)
    network = copy.deepcopy(whole.network)
    network.get_submodule("model.0").register_forward_pre_hook(hook)
    return Candidate(whole.spec, whole.origin, network, whole.classes, whole.imgsz)


def test_training_returns_the_same_stock_network_with_other_weights(small: Candidate, trained: Trained) -> None:
    before, after = small.network.state_dict(), trained.candidate.network.state_dict()
    assert {name: tensor.shape for name, tensor in before.items()} == {name: x.shape for name, x in after.items()}
    assert {tensor.dtype for tensor in after.values()} <= {torch.float32, torch.int64}
    assert not torch.equal(before["model.0.conv.weight"], after["model.0.conv.weight"])
    assert type(trained.candidate.network) is type(small.network)
    assert (trained.candidate.spec, trained.candidate.imgsz) == (small.spec, RECIPE.imgsz)


def test_the_learning_curve_counts_from_one_and_its_best_epoch_is_kept(trained: Trained) -> None:
    assert [result.epoch for result in trained.history] == [1, 2, 3]
    assert all(math.isfinite(result.loss) and result.loss > 0 for result in trained.history)
    assert trained.history[trained.kept_epoch - 1].map50_95 == max(result.map50_95 for result in trained.history)
    assert sum(result.seconds for result in trained.history) <= trained.seconds


def test_training_lowers_the_validation_loss(trained: Trained) -> None:
    assert trained.history[-1].loss < trained.history[0].loss


def test_equal_seeds_give_equal_weights_and_the_candidate_is_unchanged(
    small: Candidate, digits: Dataset, trained: Trained, tmp_path: Path
) -> None:
    before = state_of(small.network)
    again = train(small, RECIPE, digits, seed=0, scratch=tmp_path)
    other = train(small, RECIPE.with_values(epochs=1), digits, seed=1, scratch=tmp_path)
    assert unchanged(small.network, before)
    for name, tensor in trained.candidate.network.state_dict().items():
        assert torch.equal(again.candidate.network.state_dict()[name], tensor), name
    assert [x.map50_95 for x in again.history] == [x.map50_95 for x in trained.history]
    assert other.history[0].loss != trained.history[0].loss


def test_a_cut_network_stays_cut(digits: Dataset, tmp_path: Path) -> None:
    parent = Parent.load("yolov8n.yaml", classes=digits.classes, imgsz=96)
    cut = parent.build(parent.spec({group.name: max(1, group.width // 4) for group in parent.groups}))
    result = train(cut, ONE_EPOCH, digits, seed=0, scratch=tmp_path).candidate
    sizes = [sum(weight.numel() for weight in each.network.parameters()) for each in (parent.candidate(), cut, result)]
    assert sizes[2] == sizes[1] < sizes[0] / 4
    assert [x.shape for x in result.network.parameters()] == [x.shape for x in cut.network.parameters()]


def test_a_detector_without_nms_trains_both_of_its_heads(digits: Dataset, tmp_path: Path) -> None:
    before = Parent.load("yolo26n.yaml", classes=digits.classes, imgsz=96).candidate()
    after = train(before, ONE_EPOCH, digits, seed=0, scratch=tmp_path).candidate
    for head in ("cv3", "one2one_cv3"):
        name = f"model.23.{head}.0.2.weight"
        assert not torch.equal(before.network.state_dict()[name], after.network.state_dict()[name]), head


def test_training_leaves_no_files_sends_nothing_and_restores_global_state(
    small: Candidate,
    digits: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    dialled: list[Any] = []
    monkeypatch.setattr(socket.socket, "connect", lambda self, address: dialled.append(address))
    monkeypatch.chdir(tmp_path)
    LOGGER.setLevel(logging.WARNING)
    torch.manual_seed(5)
    random.seed(5)
    np.random.seed(5)
    expected = torch.Generator().manual_seed(5)
    train(small, ONE_EPOCH, digits, seed=0, scratch=tmp_path / "scratch")
    assert torch.rand(1) == torch.rand(1, generator=expected)
    assert random.random() == random.Random(5).random()
    assert np.random.rand() == np.random.RandomState(5).rand()
    assert LOGGER.level == logging.WARNING
    assert not torch.are_deterministic_algorithms_enabled()
    assert not dialled
    assert [path.name for path in tmp_path.rglob("*")] == ["scratch"]
    assert capfd.readouterr() == ("", "")


class Interrupted(BaseException):
    """Exception such as a signal handler may raise in the main thread."""


def test_the_number_of_torch_threads_stays_that_of_the_caller(
    small: Candidate, digits: Dataset, tmp_path: Path
) -> None:
    during: list[int] = []

    def progress(*_: int) -> None:
        during.append(torch.get_num_threads())
        raise Interrupted  # one batch is enough: two threads on a busy machine are slow

    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with pytest.raises(Interrupted):
            train(small, ONE_EPOCH, digits, seed=0, scratch=tmp_path, progress=progress)
        assert (*during, torch.get_num_threads()) == (3, 3)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("error", [Interrupted("stop"), KeyboardInterrupt(), RuntimeError("my own out of memory")])
def test_an_exception_of_report_ends_the_training_and_is_passed_on(
    error: BaseException, small: Candidate, digits: Dataset, tmp_path: Path
) -> None:
    seen: list[EpochResult] = []

    def report(result: EpochResult) -> None:
        seen.append(result)
        raise error

    with pytest.raises(type(error)) as caught:
        train(small, RECIPE, digits, seed=0, scratch=tmp_path, report=report)
    assert caught.value is error
    assert [result.epoch for result in seen] == [1]
    assert not list(tmp_path.iterdir())
    assert not torch.are_deterministic_algorithms_enabled()


def test_progress_is_called_after_every_batch_and_may_end_the_training_too(
    small: Candidate, digits: Dataset, tmp_path: Path
) -> None:
    calls: list[tuple[int, int, int, int]] = []

    def progress(*call: int) -> None:
        calls.append(call)  # type: ignore[arg-type]
        if call[0] == 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        train(small, RECIPE, digits, seed=0, scratch=tmp_path, progress=progress)
    assert calls == [(1, 3, 1, 3), (1, 3, 2, 3), (1, 3, 3, 3), (2, 3, 1, 3)]  # 48 scenes in batches of 16
    assert not list(tmp_path.iterdir())


def test_epochs_are_scored_as_often_as_in_the_recipe_and_the_last_always(
    small: Candidate, digits: Dataset, tmp_path: Path
) -> None:
    seen: list[int] = []
    result = train(
        small, RECIPE.with_values(val_every=2), digits, seed=0, scratch=tmp_path, report=lambda x: seen.append(x.epoch)
    )
    assert seen == [x.epoch for x in result.history] == [2, 3]


def test_the_epoch_of_the_best_f1_is_kept_if_the_recipe_says_so(
    small: Candidate, digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([0.1, 0.3, 0.2])
    monkeypatch.setattr(tasks, "best_f1", lambda per_class: next(scores))
    assert train(small, RECIPE.with_values(keep="best_f1"), digits, seed=0, scratch=tmp_path).kept_epoch == 2


def test_best_f1_is_the_mean_over_classes_and_zero_without_detections() -> None:
    assert tasks.best_f1([0.5, 1.0]) == 0.75
    assert tasks.best_f1([]) == 0.0


def test_a_loss_that_is_not_finite_is_the_candidates_fault(digits: Dataset, tmp_path: Path) -> None:
    nan = broken_by(lambda module, inputs: (inputs[0] * math.nan,))
    with pytest.raises(CandidateError, match="training loss is nan in epoch 1, batch 1"):
        train(nan, RECIPE, digits, seed=0, scratch=tmp_path)
    assert not list(tmp_path.iterdir())


def test_weights_that_diverge_in_a_later_epoch_are_not_recovered_in_a_loop(digits: Dataset, tmp_path: Path) -> None:
    passes = 0

    def break_later(module: torch.nn.Module, inputs: tuple[torch.Tensor]) -> None:
        nonlocal passes
        passes += module.training
        if passes == 5:  # the second batch of the second epoch
            with torch.no_grad():
                next(module.parameters()).fill_(math.inf)

    with pytest.raises(CandidateError, match="epoch 2, batch 2"):
        train(broken_by(break_later), RECIPE, digits, seed=0, scratch=tmp_path)
    assert passes == 5


def test_running_out_of_memory_is_the_candidates_fault_and_the_batch_is_not_halved(
    digits: Dataset, tmp_path: Path
) -> None:
    batches: list[int] = []

    def take_all(module: torch.nn.Module, inputs: tuple[torch.Tensor]) -> None:
        batches.append(len(inputs[0]))
        torch.empty(2**55)  # 128 PiB of float32: more than an address space holds

    with pytest.raises(CandidateError, match=r"out of memory with batch 16 at 96 px on cpu: .*144115188075855872"):
        train(broken_by(take_all), RECIPE, digits, seed=0, scratch=tmp_path)
    assert batches == [16]


def test_a_fault_of_the_code_is_not_blamed_on_the_candidate(digits: Dataset, tmp_path: Path) -> None:
    def fail(module: torch.nn.Module, inputs: Any) -> None:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        train(broken_by(fail), RECIPE, digits, seed=0, scratch=tmp_path)


def test_batchnorm_has_the_momentum_of_the_recipe_only_during_training(digits: Dataset, tmp_path: Path) -> None:
    during: set[float | None] = set()

    def look(module: torch.nn.BatchNorm2d, inputs: Any) -> None:
        during.add(module.momentum)

    before = broken_by(lambda module, inputs: None)
    norm = before.network.get_submodule("model.0.bn")
    norm.register_forward_pre_hook(look)
    after = train(before, ONE_EPOCH.with_values(bn_momentum=0.2), digits, seed=0, scratch=tmp_path).candidate
    assert during == {0.2}
    assert after.network.get_submodule("model.0.bn").momentum == norm.momentum == 0.03  # Ultralytics' own


def test_mosaic_is_closed_for_the_last_epochs(
    small: Candidate, digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ultralytics.data.augment import Mosaic

    drawn: list[int] = []
    epoch = 0
    stock = Mosaic._cat_labels

    def counted(self: Any, labels: Any) -> Any:
        drawn.append(epoch)
        return stock(self, labels)

    def progress(now: int, epochs: int, batch: int, batches: int) -> None:
        nonlocal epoch
        epoch = now if batch < batches else now + 1

    monkeypatch.setattr(Mosaic, "_cat_labels", counted)
    recipe = RECIPE.with_values(mosaic=1.0, close_mosaic=2, val_every=3)
    train(small, recipe, digits, seed=0, scratch=tmp_path, progress=progress)
    assert len(drawn) == 48  # every scene of the first epoch, none of the last two
    assert set(drawn) == {0, 1}


def test_classes_that_do_not_fit_the_data_are_refused(digits: Dataset, tmp_path: Path) -> None:
    other = Parent.load("yolov8n.yaml", classes=3, imgsz=96).candidate()
    with pytest.raises(RecipeError, match="the network has 3 classes, data 'digits' 10"):
        train(other, RECIPE, digits, seed=0, scratch=tmp_path)
