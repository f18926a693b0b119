"""What every test has: locks of devices that no study on this machine knows, so that neither waits for the other.

Files that take minutes are begun first: one of them at the end would leave all other processes idle.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from objectives.device.lock import FOLDER


@pytest.fixture(scope="session", autouse=True)
def _own_locks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER, str(tmp_path_factory.mktemp("locks")))
        yield


LONGEST = (
    "search/test_run.py",
    "search/test_three_objectives.py",
    "search/prepare/test_layout.py",
    "search/work/test_image_size.py",
    "search/prepare/test_threshold_cut.py",
    "benchmarks/",
    "search/test_widths.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, all others in their order."""
    items.sort(key=lambda item: not any(name in item.path.as_posix() for name in LONGEST))
