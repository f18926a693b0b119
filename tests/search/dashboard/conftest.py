"""Fixtures of the tests of the dashboard: one over a plausible study, writable and read-only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from search.pages.dashboard_server import dashboard_app
from search.pages.dashboard_token import AccessToken
from search.sampler.optuna_study import create_optuna_tables
from search.store.base import Store
from search.store.sql import open_store
from tests.search.dashboard.served import HOST, Served
from tests.search.plausible import Plausible, plausible_study, store_study
from tests.search.sampler.told import tell_sampler


@pytest.fixture(scope="module")
def found() -> Plausible:
    return plausible_study(trials=18)  # of every outcome, two of them slower than the limit


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('database') / 'study.db'}"


@pytest.fixture(scope="module")
def store(url: str, found: Plausible) -> Iterator[Store]:
    store = open_store(url)
    tell_sampler(url, store_study(store, found), found)
    yield store
    store.close()


@pytest.fixture(scope="module")
def storage(store: Store, url: str) -> Any:
    return create_optuna_tables(store, url)


@pytest.fixture(scope="module")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("artifacts")


@pytest.fixture(scope="module")
def served(store: Store, storage: Any, uploads: Path) -> Served:
    token = AccessToken()
    return Served(dashboard_app(store, storage, uploads, hosts=(HOST,), token=token), storage, token)


@pytest.fixture(scope="module")
def read_only(store: Store, storage: Any, uploads: Path) -> Served:
    return Served(dashboard_app(store, storage, uploads, hosts=(HOST,)), storage)
