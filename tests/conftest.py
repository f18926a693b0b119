"""What every test has: locks of devices that no study on this machine knows, so that neither waits for the other.

Slow files are run first: one of them at the end would leave all other processes idle.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from objectives.device.lock import FOLDER
from tests.slow_files import SLOW_FILES


@pytest.fixture(scope="session", autouse=True)
def _own_locks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER, str(tmp_path_factory.mktemp("locks")))
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of slow files as `slow`, and run these files first, all others in their order.

    `scripts/test -m "not slow"` leaves them out.
    """
    root = Path(__file__).parent
    slow = {root / name for name in SLOW_FILES}
    for item in items:
        if item.path in slow:
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: item.path not in slow)
