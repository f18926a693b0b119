"""Fixtures that several tests of the objectives share."""

from __future__ import annotations

from pathlib import Path

import pytest

from objectives.data import Dataset, open_dataset


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A small real digits data set: 48 scenes to train on, 24 each in val and test."""
    cache: Path = tmp_path_factory.mktemp("data")
    return open_dataset("digits", cache, scenes={"train": 48, "val": 24, "test": 24})
