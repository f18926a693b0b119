"""The batch systems by name. A new one is one file and one line here."""

from __future__ import annotations

import os
from collections.abc import Mapping

from search.batch.kubernetes import Kubernetes
from search.batch.local import Local
from search.batch.queued import OwnJob
from search.batch.slurm import Slurm
from search.batch.system import BatchSystem

SYSTEMS: dict[str, BatchSystem] = {system.name: system for system in (Local(), Slurm(), Kubernetes())}

DEFAULT_SYSTEM = "slurm"
"""Name of the batch system that `search.submit` submits to if no other one is asked for."""


def own_job(environment: Mapping[str, str] = os.environ) -> OwnJob | None:
    """Return the job that this process belongs to; None if it is not in a job."""
    return next((job for system in SYSTEMS.values() if (job := system.own_job(environment)) is not None), None)
