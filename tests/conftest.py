"""Settings of all tests: tracebacks of faults, and device locks that no study on this machine shares.

Files with slow tests are run first: one of them at the end would leave all other processes idle.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from objectives.device.lock_files import FOLDER
from spaces.shown import TRACEBACK

os.environ.pop("COLUMNS", None)  # processes of pytest-xdist have 80, and tables are as wide as that


@pytest.fixture(scope="session", autouse=True)
def _own_locks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER, str(tmp_path_factory.mktemp("locks")))
        patch.setenv(TRACEBACK, "1")  # a fault of the program fails a test by its traceback
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first, all others in their order."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
