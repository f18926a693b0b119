from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from search.store.base import StudyEntry
from tests.search.store.contract_faults import HoldDatabase
from tests.search.store.store_contract import SharedStoreContract, StoreContract


class TestSqliteStore(SharedStoreContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/new/folder/yolofront.db"

    @pytest.fixture
    def empty_url(self, url: str) -> str:
        return url

    @pytest.fixture
    def hold_database(self, tmp_path: Path) -> HoldDatabase:
        """Keeps a writing transaction open, as another program might."""

        @contextmanager
        def hold(study: StudyEntry) -> Iterator[None]:
            connection = sqlite3.connect(tmp_path / "new/folder/yolofront.db", isolation_level=None)
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.close()

        return hold


class TestStoreInMemory(StoreContract):
    @pytest.fixture
    def url(self) -> str:
        return "sqlite://"
