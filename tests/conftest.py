"""What every test has: locks of devices that no study on this machine knows, so that neither waits for the other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from objectives.device_lock import FOLDER


@pytest.fixture(scope="session", autouse=True)
def _own_locks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER, str(tmp_path_factory.mktemp("locks")))
        yield
