"""Fixture of the tests on a cluster: one Slurm for all of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.cluster.one_node import INSTALL, Slurm, is_installed, one_node


@pytest.fixture(scope="session")
def slurm() -> Iterator[Slurm]:
    """A Slurm with one node, in which no job runs at first."""
    if not is_installed():
        pytest.skip(INSTALL)
    with one_node() as started:
        yield started
