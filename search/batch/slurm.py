"""Slurm, the batch system of most clusters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar, final

from search.batch.job import BatchJob
from search.batch.system import BatchSystem, HeaderValue

SIGNAL_BEFORE_END_S = 120
"""Seconds before the time limit at which Slurm sends SIGUSR2. It may be late, and a trial is released in 10 s."""


_NAME = re.compile(r"[A-Za-z0-9._-]+")


@final
class Slurm(BatchSystem):
    """Scripts for `sbatch`. Source: sbatch(1), scontrol(1)."""

    name = "slurm"
    title = "Slurm"
    command = "sbatch"
    header_values: ClassVar[Mapping[str, HeaderValue]] = {
        "time": HeaderValue(re.compile(r"(\d+-)?\d+(:\d\d){0,2}"), "minutes, hh:mm:ss or days-hh, such as 08:00:00"),
        "partition": HeaderValue(re.compile(r"[A-Za-z0-9._,-]+"), "a partition's name"),
        "account": HeaderValue(_NAME, "the name of an account"),
        "qos": HeaderValue(_NAME, "the name of a quality of service"),
        "constraint": HeaderValue(re.compile(r"[A-Za-z0-9._&|,()*\[\]-]+"), "features of a node, such as 'a100|h100'"),
        "mem": HeaderValue(re.compile(r"\d+[KMGT]?"), "a number with K, M, G or T, such as 16G"),
        "mail": HeaderValue(re.compile(r"[A-Za-z0-9._%+-]+(@[A-Za-z0-9.-]+)?"), "an address"),
        "dependency": HeaderValue(re.compile(r"[A-Za-z0-9_:,+?]+"), "as Slurm writes it, such as afterok:1234"),
        "gpus": HeaderValue(re.compile(r"([A-Za-z0-9._-]+:)?\d+"), "a number, or type:number such as a100:1"),
    }

    def headers(self, job: BatchJob) -> Iterator[str]:
        """Yield the `#SBATCH` lines."""
        yield f"#SBATCH --job-name={job.name}"
        yield f"#SBATCH --output=%x-{'%A_%a' if job.array > 1 else '%j'}.out"
        yield "#SBATCH --open-mode=append"
        yield "#SBATCH --nodes=1"
        yield "#SBATCH --ntasks=1"
        yield f"#SBATCH --cpus-per-task={job.cores}"
        yield f"#SBATCH --time={job.time}"
        yield f"#SBATCH --mem={job.memory}"
        for name in ("gpus", "partition", "account", "qos", "constraint", "dependency"):
            if value := getattr(job, name):
                yield f"#SBATCH --{name}={value}"
        if job.mail:
            yield f"#SBATCH --mail-user={job.mail}"
            yield "#SBATCH --mail-type=END,FAIL,TIME_LIMIT_80"
        if job.array > 1:
            yield f"#SBATCH --array=1-{job.array}"
        yield "#SBATCH --requeue"
        yield f"#SBATCH --signal=B:USR2@{SIGNAL_BEFORE_END_S}"

    def requeue(self) -> str:
        """Return the `scontrol requeue` of this job, or of this task of an array."""
        return 'scontrol requeue "${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_}${SLURM_ARRAY_TASK_ID:-$SLURM_JOB_ID}"'

    def submission(self, file: Path, array: int | None, *, test_only: bool) -> list[str]:
        """Return the call of `sbatch`. The number of tasks on its command line goes before that in the script."""
        tasks = [] if array is None else [f"--array=1-{array}"]
        return [self.command, "--test-only" if test_only else "--parsable", *tasks, str(file)]

    def restarts(self) -> str:
        """Return the number that Slurm counts, preemptions included."""
        return "${SLURM_RESTART_COUNT:-0}"
