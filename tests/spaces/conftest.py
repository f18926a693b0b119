"""Parents that the tests of this folder share. They are built once and not modified."""

from __future__ import annotations

import pytest
import torch

from spaces.allocation.uniform import thin, uniform
from spaces.networks.graft import Donor
from spaces.networks.parent import Parent
from tests.spaces.silencing import randomise_batchnorm

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def parent() -> Parent:
    """YOLOv8n for three classes at 64 px, with batch norms that look trained."""
    made = Parent.load("yolov8n.yaml", classes=("cat", "dog", "bird"), imgsz=64, seed=1)
    randomise_batchnorm(made.network, seed=1)
    return made


@pytest.fixture(scope="session")
def donors(parent: Parent) -> dict[str, Donor]:
    """Two donors, one cut from the other, with weights of their own."""
    first = parent.build(uniform(parent, 0.75))
    randomise_batchnorm(first.network, seed=2)
    second = parent.build(thin(first, parent, 0.6))
    randomise_batchnorm(second.network, seed=3)
    with torch.no_grad():
        for donor in (first, second):
            for parameter in donor.network.parameters():
                if parameter.requires_grad:
                    parameter.add_(0.01)
    return {"one-shot": Donor("a" * 32, first), "round-2": Donor("b" * 32, second)}
