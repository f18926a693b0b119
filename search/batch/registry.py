"""The batch systems by name. A new one is one file and one line here."""

from __future__ import annotations

from search.batch.slurm import Slurm
from search.batch.system import BatchSystem

SYSTEMS: dict[str, BatchSystem] = {system.name: system for system in (Slurm(),)}

DEFAULT_SYSTEM = "slurm"
"""Name of the batch system that `search.submit` writes scripts for."""
