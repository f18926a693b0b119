"""Slurm, the batch system of most clusters."""

from __future__ import annotations

import platform
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, final

from search.batch.containers import LOCKS, in_container
from search.batch.job import BatchJob
from search.batch.queued import OwnJob, QueuedJob, Submission
from search.batch.script_system import ScriptSystem, one_line
from search.batch.system import HeaderValue
from search.store.runs.register import HOUR_S
from search.study.faults import DefinitionError

SIGNAL_BEFORE_END_S = 120
"""Seconds before the time limit at which Slurm sends SIGUSR2. It may be late, and a trial is released in 10 s."""
ENDED = frozenset(
    (
        "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED",
        "REVOKED", "TIMEOUT",
    )
)  # fmt: skip
"""Slurm's words for jobs that do not come back by themselves."""
_COLUMNS = ("JobArrayID:40", "State:20", "NodeList:60", "RestartCnt:10", "Reason:60")
"""Columns of `squeue`, each with its width: a reason has spaces."""
_NOTHING = frozenset(("", "None", "(null)"))
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_GPUS = re.compile(r"gres/gpu=(\d+)")


@final
class Slurm(ScriptSystem):
    """Scripts for `sbatch`. Source: sbatch(1), squeue(1), sacct(1), scancel(1), scontrol(1)."""

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
        "gres": HeaderValue(re.compile(r"[A-Za-z0-9._:,-]+"), "as Slurm writes it, such as shard:2 or gpu:1g.10gb:1"),
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
        for name in ("gpus", "gres", "partition", "account", "qos", "constraint", "dependency"):
            if value := getattr(job, name):
                yield f"#SBATCH --{name}={value}"
        if job.mail:
            yield f"#SBATCH --mail-user={job.mail}"
            yield "#SBATCH --mail-type=END,FAIL,TIME_LIMIT_80"
        if job.array > 1:
            yield f"#SBATCH --array=1-{job.array}"
        yield "#SBATCH --requeue"
        yield f"#SBATCH --signal=B:USR2@{SIGNAL_BEFORE_END_S}"

    def at_start(self, job: BatchJob) -> str:
        """Return what a container needs."""
        return "" if job.container is None else LOCKS

    def command_of(self, job: BatchJob) -> str:
        """Return the run's command, in its image if it has one."""
        return super().command_of(job) if job.container is None else in_container(job)

    def requeue(self) -> str:
        """Return the `scontrol requeue` of this job, or of this task of an array."""
        return 'scontrol requeue "${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_}${SLURM_ARRAY_TASK_ID:-$SLURM_JOB_ID}"'

    def restarts(self) -> str:
        """Return the number that Slurm counts, preemptions included."""
        return "${SLURM_RESTART_COUNT:-0}"

    def submit(self, file: Path, tasks: int | None = None, *, test_only: bool = False) -> str:
        """Call `sbatch`. The number of tasks on its command line goes before that in the script."""
        array = [] if tasks is None else [f"--array=1-{tasks}", "--output=%x-%A_%a.out"]
        words = [self.command, "--test-only" if test_only else "--parsable", *array, str(file)]
        printed, said = self.call_program(words, "the job")
        return one_line(said) if test_only else one_line(printed).partition(";")[0]  # after it: the cluster

    def look(self, submissions: Sequence[Submission]) -> tuple[QueuedJob, ...]:
        """Ask `squeue`, and `sacct` where Slurm keeps accounts."""
        if not submissions:
            return ()
        numbers = ",".join(submission.number for submission in submissions)
        asked = ["squeue", "--noheader", "--array", "--states=all", f"--jobs={numbers}"]
        try:
            printed, _ = self.call_program([*asked, f"--Format={','.join(_COLUMNS)}"], "to list the jobs")
        except DefinitionError as error:
            if "Invalid job id" not in str(error):
                raise
            printed = ""  # all of them ended some time ago
        queued = {job.job: job for job in map(_queued_job, filter(str.strip, printed.splitlines()))}
        for job in self._accounted(numbers):
            queued[job.job] = replace(queued.get(job.job, job), gpu_hours=job.gpu_hours)
        return tuple(sorted(queued.values(), key=_by_number))

    def cancel(self, jobs: Sequence[str]) -> None:
        """Call `scancel`."""
        if jobs:
            self.call_program(["scancel", *jobs], "to cancel")

    def log_of(self, submission: Submission, job: str) -> Path:
        """Return the file that `--output` names."""
        return Path(submission.folder) / f"{submission.name}-{job}.out"

    def own_job(self, environment: Mapping[str, str]) -> OwnJob | None:
        """Read the variables that Slurm sets."""
        if (number := environment.get("SLURM_JOB_ID")) is None:
            return None
        array, task = environment.get("SLURM_ARRAY_JOB_ID"), environment.get("SLURM_ARRAY_TASK_ID")
        return OwnJob(
            system=self.name,
            job=f"{array}_{task}" if array and task else number,
            restarts=int(environment.get("SLURM_RESTART_COUNT") or 0),
            node=environment.get("SLURMD_NODENAME") or platform.node(),
        )

    def _accounted(self, numbers: str) -> list[QueuedJob]:
        """Return the jobs with the GPU-hours of all their starts; none where Slurm keeps no accounts."""
        fields = ("JobID", "State", "NodeList", "ElapsedRaw", "AllocTRES", "Restarts")
        asked = ["sacct", "--noheader", "--parsable2", "--allocations", "--duplicates", f"--jobs={numbers}"]
        printed = ""
        with suppress(DefinitionError):
            printed, _ = self.call_program([*asked, f"--format={','.join(fields)}"], "to list the accounts")
        starts: defaultdict[str, list[QueuedJob]] = defaultdict(list)
        for line in printed.splitlines():
            job, state, node, seconds, granted, restarts = line.split("|")
            gpus = _GPUS.search(granted)
            hours = (int(gpus[1]) if gpus else 0) * int(seconds or 0) / HOUR_S
            word = state.partition(" ")[0]  # `CANCELLED by 1000`
            starts[job].append(
                QueuedJob(
                    system=self.name,
                    job=job,
                    state=word,
                    has_ended=word in ENDED,
                    node="" if node == "None assigned" else node,
                    restarts=int(restarts or 0),
                    gpu_hours=hours,
                )
            )
        return [replace(each[-1], gpu_hours=sum(one.gpu_hours or 0.0 for one in each)) for each in starts.values()]


def _queued_job(line: str) -> QueuedJob:
    """Return the job of one line of `squeue`."""
    values, at = [], 0
    for column in _COLUMNS:
        width = int(column.partition(":")[2])
        values.append(line[at : at + width].strip())
        at += width
    job, state, node, restarts, reason = values
    return QueuedJob(
        system=Slurm.name,
        job=job,
        state=state,
        has_ended=state in ENDED,
        node=node,
        reason="" if reason in _NOTHING else reason,
        restarts=int(restarts or 0),
    )


def _by_number(job: QueuedJob) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", job.job))
