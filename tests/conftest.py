"""Settings of all tests: tracebacks of faults, no waits for an idle machine, and device locks that nobody shares.

Files whose tests take longest are run first: one of them at the end would leave all other processes idle.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from objectives.device.lock_files import FOLDER
from objectives.timing.idle_wait import IDLE_WAIT
from spaces.lasting_imports import without_garbage_collection
from spaces.shown import TRACEBACK

os.environ.pop("COLUMNS", None)  # processes of pytest-xdist have 80, and tables are as wide as that


@pytest.fixture(scope="session", autouse=True)
def _own_locks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER, str(tmp_path_factory.mktemp("locks")))
        patch.setenv(IDLE_WAIT, "0")  # beside other tests the machine is never idle
        patch.setenv(TRACEBACK, "1")  # a fault of the program fails a test by its traceback
        yield


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Import all test files, which import everything, and keep that out of each later garbage collection."""
    with without_garbage_collection():
        return (yield)


def pytest_sessionfinish() -> None:
    """Give everything back to the collector, so that libraries find nothing left behind when the process ends."""
    gc.unfreeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first, those of most seconds before the others; the rest in their order."""
    seconds: dict[Path, float] = {}
    for item in items:
        for mark in item.iter_markers("slow"):
            seconds[item.path] = max(seconds.get(item.path, 0.0), mark.kwargs.get("file_s", 0.0))
    items.sort(key=lambda item: (item.path not in seconds, -seconds.get(item.path, 0.0)))
