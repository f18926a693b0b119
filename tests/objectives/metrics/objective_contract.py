"""Promises of every objective. A test of an objective subclasses the contract of its kind and says which objective."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
import torch

from objectives.base import Evaluation, Measurement
from objectives.data.dataset import Dataset
from objectives.metrics.base import AfterTraining, BeforeTraining, Objective
from objectives.metrics.registry import Tools, objectives_after_training, objectives_before_training
from objectives.metrics.reloaded_network import ReloadedNetwork
from objectives.quantities import QUANTITIES, quantity_named
from objectives.training import detections
from search.record.stopwatch import PHASES
from spaces.base import Candidate
from tests.objectives.networks import candidate, state_of, unchanged

SPLITS = ("val", "test")


def _figures(found: Iterable[Measurement | Evaluation], split: str = "val") -> dict[str, float]:
    """Values of a split by quantity."""
    figures: dict[str, float] = {}
    for each in found:
        if isinstance(each, Measurement):
            quantity = quantity_named(each.name)
            if each.name == quantity.of_split(split):
                figures[quantity.name] = each.value
        elif each.split == split:
            figures |= {name: getattr(each, name) for name, known in QUANTITIES.items() if known.in_evaluation}
    return figures


class ObjectiveContract(ABC):
    """Promises of both kinds of objectives."""

    @pytest.fixture
    @abstractmethod
    def objective(self) -> Objective[Any]:
        """The objective under test."""

    def test_its_quantities_are_in_the_table(self, objective: Objective[Any]) -> None:
        assert objective.quantities
        assert all(QUANTITIES[each.name] is each for each in objective.quantities)
        before = isinstance(objective, BeforeTraining)
        assert all(each.before_training is before for each in objective.quantities)

    def test_no_other_objective_measures_them(self, objective: Objective[Any]) -> None:
        tools = Tools(parent_parameters=1, latency=lambda candidate, limit_ms: Measurement("latency_ms", 1.0))
        every: list[Objective[Any]] = list(objectives_before_training(tools, QUANTITIES))
        every += objectives_after_training(QUANTITIES)
        kinds = [type(each) for each in every if set(each.quantities) & set(objective.quantities)]
        assert kinds == [type(objective)], "one line in the registry"


class BeforeTrainingContract(ObjectiveContract):
    """Promises of what is measured of an untrained candidate."""

    @pytest.fixture
    @abstractmethod
    def objective(self) -> BeforeTraining:
        """The objective under test."""

    def test_it_measures_each_of_its_quantities_once(self, objective: BeforeTraining) -> None:
        measured = objective.measure(candidate())
        assert [each.name for each in measured] == [each.name for each in objective.quantities]
        assert [each.unit for each in measured] == [each.unit for each in objective.quantities]
        assert all(math.isfinite(each.value) for each in measured)

    @pytest.mark.parametrize("training", [True, False])
    def test_measuring_does_not_change_the_candidate(self, objective: BeforeTraining, training: bool) -> None:
        model = candidate()
        model.network.train(training)
        before, generator = state_of(model.network), torch.get_rng_state()
        objective.measure(model)
        assert unchanged(model.network, before)
        assert torch.equal(torch.get_rng_state(), generator)

    def test_it_reads_no_image(self, objective: BeforeTraining, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(detections, "detection_dataset", None)
        assert objective.measure(candidate())

    def test_its_time_counts_as_a_phase_of_the_stopwatch(self, objective: BeforeTraining) -> None:
        assert objective.phase in PHASES


class ExactContract(BeforeTrainingContract):
    """Promises of what is counted and not timed."""

    def test_equal_architectures_have_equal_figures_whatever_their_weights(self, objective: BeforeTraining) -> None:
        model = candidate()
        other = replace(model, network=copy.deepcopy(model.network))
        with torch.no_grad():
            for parameter in other.network.parameters():
                parameter.mul_(0.5)
            other.network.eval()(torch.zeros(1, 3, 64, 64))  # a use leaves its anchors in the network
        assert objective.measure(other) == objective.measure(model)


class AfterTrainingContract(ObjectiveContract):
    """Promises of what is measured of a trained network that was saved and loaded again."""

    @pytest.fixture
    @abstractmethod
    def objective(self) -> AfterTraining:
        """The objective under test."""

    @pytest.fixture
    def network(self, digits: Dataset) -> ReloadedNetwork:
        """An untrained network does: nearly all that it detects is wrong."""
        return ReloadedNetwork(candidate(width=0.125), digits, SPLITS)

    def test_it_measures_each_of_its_quantities_on_each_split(
        self, objective: AfterTraining, network: ReloadedNetwork
    ) -> None:
        found = objective.measure(network)
        for split in SPLITS:
            figures = _figures(found, split)
            assert set(figures) == {each.name for each in objective.quantities}
            assert all(math.isfinite(value) for value in figures.values())
        assert len(found) == len(SPLITS) * (1 if isinstance(found[0], Evaluation) else len(objective.quantities))

    def test_measuring_does_not_change_the_network(self, objective: AfterTraining, network: ReloadedNetwork) -> None:
        before = state_of(network.candidate.network)
        objective.measure(network)
        assert unchanged(network.candidate.network, before)

    def test_equal_networks_have_equal_figures(self, objective: AfterTraining, network: ReloadedNetwork) -> None:
        twin: Candidate = replace(network.candidate, network=copy.deepcopy(network.candidate.network))
        again = ReloadedNetwork(twin, network.data, SPLITS)
        assert objective.measure(again) == objective.measure(network)

    def test_a_second_objective_needs_no_second_pass_over_the_images(
        self, objective: AfterTraining, network: ReloadedNetwork, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = objective.measure(network)
        monkeypatch.setattr(detections, "detection_dataset", None)
        assert objective.measure(network) == first
