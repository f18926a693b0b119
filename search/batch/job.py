"""A run of a study on a cluster, as it is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from search.record.folders import RunFolder, storage_url
from search.store.url import has_password

MEMORY_GB = 4
"""Memory of a worker with its timing process and its share of the run: 1.6 GB without images and GPU, and a reserve."""


@dataclass(frozen=True)
class BatchJob:
    """A run of a study on a cluster.

    Attributes:
        study: Name of the study, or path of its YAML.
        runs: Run folder on the cluster.
        storage: URL of the database as the user gave it; None leaves the choice to the run.
        arguments: Further arguments of `yolofront run`, passed on unchanged.
        python: Interpreter on the cluster.
        workers: Number of worker processes in each job.
        threads: torch threads of each worker.
        array: Number of jobs that work on the study together.
        time: Time limit of each job, in the batch system's notation. So are the values that follow; None leaves them to
            the batch system.
        gpus: GPUs of each job; None for none. Training runs on the first.
        gres: Part of a GPU, or a GPU, as Slurm writes it: `shard:2`, `mps:50`, `gpu:1g.10gb:1`.
        partition: Queue that the job waits in.
        account: Account that pays for it.
        qos: Quality of service.
        constraint: Features that a node must have.
        mem: Memory of each job; None for `MEMORY_GB` for each worker.
        mail: Address that is told when a job ends, fails or has used 80 % of its time.
        budget_gpu_hours: GPU-hours of all jobs of the study together after which no trial begins; None for no limit.
        dependency: Jobs that must have ended before.
        container: Image that the run is in; None for the machine itself.
        container_by: Program that starts the container.
        container_bind: Absolute paths that are to be seen in the container, with commas in between.
        storage_file: File with the URL of the database, where that has a password; None if the environment has it.
        shared: Folder that every node must see; None if it need not exist yet.
        versions: Versions of the submitter, which the run compares with those of its node; empty for no comparison.
        max_requeues: Maximum number of times that a job which hands back its trials queues up again.
    """

    study: str
    runs: Path = Path("runs")
    storage: str | None = field(default=None, repr=False)
    arguments: tuple[str, ...] = ()
    python: str = "python"
    workers: int = 1
    threads: int = 1
    array: int = 1
    time: str = "08:00:00"
    gpus: str | None = None
    gres: str | None = None
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    mem: str | None = None
    mail: str | None = None
    budget_gpu_hours: float | None = None
    dependency: str | None = None
    container: str | None = None
    container_by: str = "apptainer"
    container_bind: str | None = None
    storage_file: Path | None = None
    shared: Path | None = None
    versions: str = ""
    max_requeues: int = 20

    @property
    def name(self) -> str:
        """The study's name, without the folder and ending of a path."""
        return Path(self.study).stem

    @property
    def has_gpu(self) -> bool:
        """True if a job gets a GPU or a part of one."""
        return bool(self.gpus or self.gres)

    @property
    def cores(self) -> int:
        """CPU cores that the workers of one job use."""
        return self.workers * self.threads

    @property
    def memory(self) -> str:
        """Memory of a job, in the batch system's notation."""
        return self.mem or f"{MEMORY_GB * self.workers}G"

    @property
    def uses_server(self) -> bool:
        """True if several jobs may use the database."""
        return not storage_url(self.storage, RunFolder(self.runs)).startswith("sqlite")

    @property
    def has_password(self) -> bool:
        """True if the URL of the database holds a password, which must not stand in a script."""
        return self.storage is not None and has_password(self.storage)

    @property
    def command(self) -> tuple[str, ...]:
        """Words of the command that runs the study; a database URL with a password is left out."""
        # -P: the folder from which jobs are submitted may hold a package `search` of the user's own.
        words = [self.python, "-P", "-m", "yolofront", "run", "--study", self.study, "--project", str(self.runs)]
        if self.storage is not None and not self.has_password:
            words += ["--storage", self.storage]
        words += ["--workers", str(self.workers), "--threads", str(self.threads)]
        if self.has_gpu:
            words += ["--device", "0"]
        if self.budget_gpu_hours is not None:
            words += ["--budget-gpu-hours", f"{self.budget_gpu_hours:g}"]
        return (*words, *self.arguments)
