"""Fixtures of the search's tests: a real PostgreSQL, a fresh database for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.search.store.postgres import PostgresServer, programs, running_server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server for the tests of one process."""
    if programs() is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    with running_server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """URL of a fresh, empty PostgreSQL database; it is dropped after the test."""
    with postgres_server.database() as name:
        yield postgres_server.url(name)
