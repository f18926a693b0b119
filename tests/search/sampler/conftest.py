"""A search problem for the tests of samplers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from search.store.sql import open_store
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
