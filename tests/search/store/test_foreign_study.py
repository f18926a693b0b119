"""A database that others use too: a study that somebody made with Optuna alone is not taken over."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest

from objectives.base import Direction
from search.store.base import StoreError
from search.store.sql import open_store

OBJECTIVES = [("map50_95", Direction.MAXIMIZE), ("latency_ms", Direction.MINIMIZE)]


def test_a_study_of_somebody_else_is_refused_by_name_and_stays_as_it_is(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/team.db"
    theirs = optuna.create_study(study_name="pets", storage=url, directions=["maximize", "minimize"])
    theirs.ask()
    store = open_store(url)
    with pytest.raises(StoreError, match=r"holds an Optuna study 'pets' that was not made by this program.*--name"):
        store.add_study("pets", {}, OBJECTIVES)
    assert store.latest_study("pets") is None
    assert store.add_study("pets-of-ours", {}, OBJECTIVES).generation == 1
    store.close()
    assert len(optuna.load_study(study_name="pets", storage=url).trials) == 1
