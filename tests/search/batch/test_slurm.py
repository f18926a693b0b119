"""Slurm keeps the contract of batch systems."""

from __future__ import annotations

import pytest

from search.batch.slurm import Slurm
from search.batch.system import BatchSystem
from tests.search.batch.batch_system_contract import BatchSystemContract


class TestSlurm(BatchSystemContract):
    @pytest.fixture
    def system(self) -> BatchSystem:
        return Slurm()
