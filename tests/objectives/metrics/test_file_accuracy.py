"""Accuracies of int8 and fp16 files keep the promises of an objective, and are those of the files themselves."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import ClassVar

import pytest
import torch

from objectives.base import Measurement
from objectives.data.calibration import Calibration
from objectives.data.dataset import Dataset
from objectives.metrics.base import AfterTraining
from objectives.metrics.file_accuracy import Fp16Accuracy, Int8Accuracy
from objectives.metrics.reloaded_network import ReloadedNetwork
from objectives.runtimes.catalogue import target_here
from objectives.training.exported_accuracy import FileTarget
from spaces.base import Candidate
from tests.objectives.metrics.objective_contract import AfterTrainingContract
from tests.objectives.networks import candidate

SPLITS = ("val", "test")


def file_target(precision: str, data: Dataset, runtime: str = "onnxruntime") -> FileTarget:
    """The target of one CPU thread, with the calibration that int8 needs."""
    calibration = Calibration.for_precision(precision, lambda: data)
    key = "" if calibration is None else calibration.key
    return FileTarget(target_here(runtime, precision=precision, imgsz=96, calibration=key), calibration)


def reloaded(network: Candidate, data: Dataset, precision: str) -> ReloadedNetwork:
    return ReloadedNetwork(network, data, SPLITS, files={precision: file_target(precision, data)})


class FileAccuracyContract(AfterTrainingContract):
    precision: ClassVar[str]
    exported: ClassVar[dict[str, ReloadedNetwork]] = {}  # an export takes a second

    @pytest.fixture
    def network(self, digits: Dataset) -> ReloadedNetwork:
        return self.exported.setdefault(self.precision, reloaded(candidate(width=0.125), digits, self.precision))

    def test_equal_networks_have_equal_figures(self, objective: AfterTraining, network: ReloadedNetwork) -> None:
        again = reloaded(network.candidate, network.data, self.precision)
        assert objective.measure(again) == objective.measure(network)

    def test_a_figure_holds_on_its_target_alone(self, objective: AfterTraining, network: ReloadedNetwork) -> None:
        found = [each for each in objective.measure(network) if isinstance(each, Measurement)]
        assert {each.target for each in found} == {network.files[self.precision].target.key}


class TestInt8Accuracy(FileAccuracyContract):
    precision = "int8"

    @pytest.fixture
    def objective(self) -> Int8Accuracy:
        return Int8Accuracy()


class TestFp16Accuracy(FileAccuracyContract):
    precision = "fp16"

    @pytest.fixture
    def objective(self) -> Fp16Accuracy:
        return Fp16Accuracy()


def test_a_file_that_overflows_finds_nothing(digits: Dataset) -> None:
    """Numbers of fp16 end at 65504; the network itself is as good as before."""
    network = replace(candidate(width=0.125), network=copy.deepcopy(candidate(width=0.125).network))
    with torch.no_grad():
        dict(network.network.named_parameters())["model.0.bn.weight"].mul_(1e7)
    found = Fp16Accuracy().measure(reloaded(network, digits, "fp16"))
    assert [each.value for each in found] == [0.0, 0.0]


def test_a_file_for_another_machine_is_run_by_onnxruntime_here(digits: Dataset) -> None:
    here = file_target("int8", digits)
    there = FileTarget(replace(here.target, provider="tensorrt", remote="jetson", device="Orin"), here.calibration)
    file = there.exported(candidate(width=0.125))
    found = file(torch.zeros(3, 3, 96, 96))
    assert found.shape[:2] == (3, 4 + len(digits.classes))
