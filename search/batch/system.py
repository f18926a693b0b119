"""A batch system as an abstract class, and the job that it is given. `script` makes the batch script."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, NamedTuple, final

from search.cli.command import Exit
from search.record.folders import RunFolder, storage_url
from search.store.url import has_password, parse
from search.study.faults import DefinitionError
from search.study.names import find_yaml
from spaces.shown import shell_word

_JOB_NAME = re.compile(r"[A-Za-z0-9._-]+")

_SCRIPT = """\
#!/bin/bash
{headers}

{storage}# {title} signals this shell, which passes the signal on. The run hands its trials back to the study and ends:
# USR2, the time limit is near: with {come_back}, and the job queues up again, at most {max_requeues} times.
# TERM, the job is cancelled or preempted: with {terminated}. {title} itself queues a preempted job up again.
# Other ends are final: {done} done, {error} an error, {usage} wrong arguments, {mismatch} another study of that name.
trap 'kill -USR2 "$run" 2>/dev/null' USR2
trap 'kill -TERM "$run" 2>/dev/null' TERM
{command} &
run=$!
while kill -0 "$run" 2>/dev/null; do
    wait "$run" # a signal ends this waiting, not the run
done
wait "$run"
code=$?
if [ "$code" -eq {killed} ]; then
    code={come_back} # USR2 came before the run listened
fi
if [ "$code" -eq {come_back} ] && [ "{restarts}" -lt {max_requeues} ]; then
    {requeue}
elif [ "$code" -eq {come_back} ]; then
    echo "not queued again after {max_requeues} times (--max-requeues); the same command continues the study" >&2
fi
exit "$code"
"""
_KILLED_BY_USR2 = 140
"""Exit code of a process on Linux that SIGUSR2 ended because it did not listen yet."""


@dataclass(frozen=True)
class BatchJob:
    """A run of a study on a cluster.

    Attributes:
        study: Name of the study, or path of its YAML.
        runs: Run folder on the cluster.
        storage: URL of the database as the user gave it; None leaves the choice to the run.
        arguments: Further arguments of `search.run`, passed on unchanged.
        python: Interpreter on the cluster.
        workers: Number of worker processes in each job.
        threads: torch threads of each worker.
        array: Number of jobs that work on the study together.
        time: Time limit of each job, in the batch system's notation; `partition` and `gpus` likewise.
        partition: Queue that the job waits in; None leaves it to the batch system.
        gpus: GPUs of each job; None for none. Training runs on the first.
        max_requeues: How often a job that hands back its trials queues up again.
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
    partition: str | None = None
    gpus: str | None = None
    max_requeues: int = 20

    @property
    def name(self) -> str:
        """The study's name, without the folder and ending of a path."""
        return Path(self.study).stem

    @property
    def cores(self) -> int:
        """CPU cores that the workers of one job use."""
        return self.workers * self.threads

    @property
    def has_password(self) -> bool:
        """Whether the URL of the database holds a password, which must not stand in a file."""
        return self.storage is not None and has_password(self.storage)

    @property
    def command(self) -> tuple[str, ...]:
        """Words of the command that runs the study; a database URL with a password is left out."""
        words = [self.python, "-m", "search.run", "--study", self.study, "--project", str(self.runs)]
        if self.storage is not None and not self.has_password:
            words += ["--storage", self.storage]
        words += ["--workers", str(self.workers), "--threads", str(self.threads)]
        if self.gpus:
            words += ["--device", "0"]
        return (*words, *self.arguments)


class HeaderValue(NamedTuple):
    """The texts that a value in a header may have. No shell reads a header, so its values cannot be quoted."""

    pattern: re.Pattern[str]
    expected: str


class BatchSystem(ABC):
    """A program that queues jobs on a cluster. Subclasses are final and have no state."""

    name: ClassVar[str]
    title: ClassVar[str]
    """Name of the batch system as its users write it."""
    submit: ClassVar[str]
    """Command that a user gives the script to."""
    header_values: ClassVar[Mapping[str, HeaderValue]]
    """For each of `time`, `partition` and `gpus` that `headers` writes, the texts that are allowed."""

    @abstractmethod
    def headers(self, job: BatchJob) -> Iterator[str]:
        """Yield the comment lines that tell the batch system what the job needs.

        They must ask for SIGUSR2 to the shell before the time limit, early enough for a trial to be released (10 s),
        for `job.array` jobs, and that a preempted job queues up again.
        """

    @abstractmethod
    def requeue(self) -> str:
        """Return the shell command that puts the running job into the queue again."""

    @abstractmethod
    def restarts(self) -> str:
        """Return the shell expression for the number of times that this job queued up again before."""

    @final
    def script(self, job: BatchJob) -> str:
        """Return the batch script as text.

        Raises:
            DefinitionError: If the study does not exist, or a value of the job is wrong.
            StorageUrlError: If the URL of the database is written wrongly.
        """
        self._check(job)
        storage = f': "${{SEARCH_STORAGE:?set it to the URL of the database before you call {self.submit}}}"\n'
        return _SCRIPT.format(
            headers="\n".join(self.headers(job)),
            title=self.title,
            storage=storage if job.has_password else "",
            command=" ".join(map(shell_word, job.command)),
            requeue=self.requeue(),
            restarts=self.restarts(),
            max_requeues=job.max_requeues,
            killed=_KILLED_BY_USR2,
            **{code.name.lower(): int(code) for code in Exit},
        )

    def _check(self, job: BatchJob) -> None:
        find_yaml(job.study)
        if job.storage is not None:
            parse(job.storage)
        for name, (pattern, expected) in self.header_values.items():
            value = getattr(job, name)
            if value is not None and not pattern.fullmatch(value):
                raise DefinitionError(f"--{name} is {value!r}; it must be {expected}")
        if any(map(_holds_password, job.arguments)):
            raise DefinitionError("a database's password would stand in the script; give --storage before the --")
        if not _JOB_NAME.fullmatch(job.name):
            raise DefinitionError(f"--study is {job.study!r}; a job's name takes letters, digits, dots and dashes only")
        for name, number in (("workers", job.workers), ("threads", job.threads), ("array", job.array)):
            if number < 1:
                raise DefinitionError(f"--{name} is {number}; it must be at least 1")
        if job.max_requeues < 0:
            raise DefinitionError(f"--max-requeues is {job.max_requeues}; it must be 0 or a number of times")
        if job.array > 1 and storage_url(job.storage, RunFolder(job.runs)).startswith("sqlite"):
            raise DefinitionError(
                f"--array is {job.array}: jobs on several machines need a database server, SQLite is for one; "
                "give --storage postgresql+psycopg://... or set SEARCH_STORAGE"
            )


def _holds_password(word: str) -> bool:
    """Return whether a word of the command line is, or an option in it has, a URL with a password."""
    value = word.partition("=")[2] if word.startswith("-") else word
    return "://" in value and has_password(value)
