"""A small parent with two donors, for the layouts of spaces."""

from __future__ import annotations

import pytest

from spaces.allocation.uniform import uniform
from spaces.networks.graft import Donor
from spaces.networks.parent import Parent
from tests.objectives.networks import half_width_parent
from tests.search.sampler.problem import PX


@pytest.fixture(scope="session")
def parent() -> Parent:
    return half_width_parent(("a", "b"), imgsz=PX)


@pytest.fixture(scope="session")
def donors(parent: Parent) -> dict[str, Donor]:
    return {name: Donor(name, parent.build(uniform(parent, ratio, 4))) for name, ratio in (("one", 0.75), ("two", 0.5))}
