"""Fixtures that several tests of the objectives share."""

from __future__ import annotations

from pathlib import Path

import pytest

from objectives.data.dataset import Dataset, open_dataset
from tests.objectives.pets import write_pets


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A small real digits data set: 48 scenes to train on, 24 each in val and test."""
    cache: Path = tmp_path_factory.mktemp("data")
    return open_dataset("digits", cache, scenes={"train": 48, "val": 24, "test": 24})


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """A small data set with two classes in files of its own, to be changed and spoilt (see `pets.py`)."""
    return write_pets(tmp_path / "pets")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A folder for what we write ourselves."""
    return tmp_path / "cache"
