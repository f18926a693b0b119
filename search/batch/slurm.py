"""Slurm, the batch system of most clusters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import ClassVar, final

from search.batch.system import BatchJob, BatchSystem, HeaderValue

SIGNAL_BEFORE_END_S = 120
"""Seconds before the time limit at which Slurm sends SIGUSR2. It may be late, and a trial is released in 10 s."""


@final
class Slurm(BatchSystem):
    """Scripts for `sbatch`. Source: sbatch(1), scontrol(1)."""

    name = "slurm"
    title = "Slurm"
    submit = "sbatch"
    header_values: ClassVar[Mapping[str, HeaderValue]] = {
        "time": HeaderValue(re.compile(r"(\d+-)?\d+(:\d\d){0,2}"), "minutes, hh:mm:ss or days-hh, such as 08:00:00"),
        "partition": HeaderValue(re.compile(r"[A-Za-z0-9._,-]+"), "a partition's name"),
        "gpus": HeaderValue(re.compile(r"([A-Za-z0-9._-]+:)?\d+"), "a number, or type:number such as a100:1"),
    }

    def headers(self, job: BatchJob) -> Iterator[str]:
        """Yield the `#SBATCH` lines."""
        yield f"#SBATCH --job-name={job.name}"
        yield "#SBATCH --output=%x-%j.out"
        yield "#SBATCH --open-mode=append"
        yield "#SBATCH --nodes=1"
        yield "#SBATCH --ntasks=1"
        yield f"#SBATCH --cpus-per-task={job.cores}"
        yield f"#SBATCH --time={job.time}"
        if job.partition:
            yield f"#SBATCH --partition={job.partition}"
        if job.gpus:
            yield f"#SBATCH --gpus={job.gpus}"
        if job.array > 1:
            yield f"#SBATCH --array=1-{job.array}"
        yield "#SBATCH --requeue"
        yield f"#SBATCH --signal=B:USR2@{SIGNAL_BEFORE_END_S}"

    def requeue(self) -> str:
        """Return the `scontrol requeue` of this job, or of this task of an array."""
        return 'scontrol requeue "${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_}${SLURM_ARRAY_TASK_ID:-$SLURM_JOB_ID}"'

    def restarts(self) -> str:
        """Return the number that Slurm counts, preemptions included."""
        return "${SLURM_RESTART_COUNT:-0}"
