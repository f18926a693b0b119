"""A search problem for the tests of samplers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from search.sampler.candidate_predictions import CandidatePredictions
from search.store.sql import open_store
from spaces.allocation.summed_sensitivity import SummedSensitivity
from spaces.networks.parent import Parent
from tests.objectives.networks import half_width_parent
from tests.search.sampler.problem import PX, Problem


@pytest.fixture(scope="session")
def parent() -> Parent:
    return half_width_parent(("a", "b"), imgsz=PX)


@pytest.fixture
def problem(parent: Parent) -> Iterator[Problem]:
    store = open_store("sqlite://")
    made = Problem(parent, store)
    made.measure({name: 1.0 for name in made.plan.parameters})  # the parent's latency is known from the start
    yield made
    store.close()


@pytest.fixture
def told(problem: Problem) -> CandidatePredictions:
    """Predictions with the loss increase when each layer is halved."""
    groups = problem.parent.structure.groups
    weights = np.linspace(0.2, 1.0, len(groups)) ** 3
    sensitivity = SummedSensitivity(
        [each.width for each in groups], [[index] for index in range(len(groups))], weights.tolist()
    )
    return replace(problem.predictions(), sensitivity=sensitivity)
