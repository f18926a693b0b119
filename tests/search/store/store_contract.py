"""Contract of stores, in words. A new store subclasses this and gives a `url`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from search.store.base import Store, StudyEntry
from search.store.sql import open_store
from tests.search.store.contract_attempts import AttemptContract, SharedAttemptContract
from tests.search.store.contract_confirmations import ConfirmationContract
from tests.search.store.contract_faults import FaultContract
from tests.search.store.contract_latencies import LatencyContract
from tests.search.store.contract_records import FrontContract, RecordContract, StudyContract, TrainedContract
from tests.search.store.contract_workers import SharedWorkerContract, WorkerContract
from tests.search.store.examples import new_study


class StoreContract(
    StudyContract,
    AttemptContract,
    RecordContract,
    FrontContract,
    TrainedContract,
    LatencyContract,
    ConfirmationContract,
    WorkerContract,
):
    """For any database; a subclass has a fixture `url` of a fresh, empty one."""

    @pytest.fixture
    def store(self, url: str) -> Iterator[Store]:
        opened = open_store(url)
        yield opened
        opened.close()

    @pytest.fixture
    def study(self, store: Store) -> StudyEntry:
        return new_study(store)


class SharedStoreContract(StoreContract, SharedAttemptContract, SharedWorkerContract, FaultContract):
    """For a database that several processes use; `empty_url` is of one without tables."""
