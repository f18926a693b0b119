from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from search.store.base import StudyEntry
from search.store.columns import Table
from search.store.sql import open_store
from tests.search.store.contract_faults import HoldDatabase
from tests.search.store.postgres import PostgresServer
from tests.search.store.store_contract import SharedStoreContract
from tests.search.work import quick_trials


class TestPostgresqlStore(SharedStoreContract):
    @pytest.fixture(scope="class")
    @classmethod
    def database(cls, postgres_server: PostgresServer) -> Iterator[str]:
        """A database with our tables; emptying them is faster than making a database for every test."""
        with postgres_server.database() as name:
            open_store(postgres_server.url(name)).close()
            yield name

    @pytest.fixture
    def url(self, postgres_server: PostgresServer, database: str) -> Iterator[str]:
        yield postgres_server.url(database)
        tables = ", ".join(Table.metadata.tables)
        postgres_server.execute(f"TRUNCATE {tables} RESTART IDENTITY", database)

    @pytest.fixture
    def empty_url(self, postgres_url: str) -> str:
        return postgres_url

    @pytest.fixture
    def hold_database(self, url: str) -> HoldDatabase:
        """Keeps the study's row locked, as a worker that was stopped in a transaction would."""

        @contextmanager
        def hold(study: StudyEntry) -> Iterator[None]:
            with psycopg.connect(url.replace("+psycopg", "")) as connection:
                connection.execute("SELECT id FROM yolofront_studies WHERE id = %s FOR UPDATE", [study.id])
                yield

        return hold


def test_a_database_in_sql_ascii_keeps_text(postgres_server: PostgresServer) -> None:
    """The driver gives bytes there unless it is told an encoding."""
    with postgres_server.database("TEMPLATE template0 ENCODING 'SQL_ASCII'") as name:
        url = postgres_server.url(name)
        store = open_store(url)
        study = store.add_study("Größe", {"what": "naïve"}, quick_trials.OBJECTIVES)
        assert (store.latest_study("Größe"), study.name) == (study, "Größe")
        number, params = quick_trials.optuna_study_of(url, study, 0).ask()
        assert number == 0 and params["backbone"] in ("one", "two")
        store.close()
