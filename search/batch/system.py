"""A batch system as an abstract class: it renders a job as text, and most of them submit, look at and cancel jobs."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple, final

from search.batch.job import BatchJob
from search.batch.queued import OwnJob, QueuedJob, Submission
from search.store.url import has_password, parse
from search.study.faults import DefinitionError
from search.study.names import find_yaml

_JOB_NAME = re.compile(r"[A-Za-z0-9._-]+")


class HeaderValue(NamedTuple):
    """The texts that a value in a header may have. No shell reads a header, so its values cannot be quoted."""

    pattern: re.Pattern[str]
    expected: str


class BatchSystem(ABC):
    """A program that queues jobs on a cluster. Subclasses are final and have no state."""

    name: ClassVar[str]
    title: ClassVar[str]
    """Name of the batch system as its users write it."""
    header_values: ClassVar[Mapping[str, HeaderValue]] = {}
    """For each field of the job that `render` writes as it is, the texts that are allowed."""
    runs_here: ClassVar[bool] = True
    """True if jobs find this machine's interpreter in its place; False if they run in an image."""
    needs_server: ClassVar[bool] = True
    """True if several jobs need a database server, because they run on several machines."""
    refused: ClassVar[Mapping[str, str]] = {}
    """For each field of the job that this batch system does not know, what to do instead."""

    @final
    def render(self, job: BatchJob) -> str:
        """Return the job as the text that the batch system takes: a script or a manifest. It holds no password.

        Raises:
            DefinitionError: If the study does not exist, or a value of the job is wrong.
            StorageUrlError: If the URL of the database is written wrongly.
        """
        self._check(job)
        return self._text(job)

    @abstractmethod
    def _text(self, job: BatchJob) -> str:
        """Return the text of a job whose values are checked."""

    @abstractmethod
    def submit(self, file: Path, tasks: int | None = None, *, test_only: bool = False) -> str:
        """Hand a script in. Return the number of its jobs, or with `test_only` what the batch system would do.

        Args:
            tasks: Number of jobs; None for that in the script.

        Raises:
            DefinitionError: If the batch system is not here, or refuses the job.
        """

    @abstractmethod
    def look(self, submissions: Sequence[Submission]) -> tuple[QueuedJob, ...]:
        """Return the jobs of these submissions that the batch system still knows.

        Raises:
            DefinitionError: If the batch system is not here or does not answer.
        """

    @abstractmethod
    def cancel(self, jobs: Sequence[str]) -> None:
        """End jobs, by the names that `look` returns, so that they do not come back. Their trials are handed back.

        Raises:
            DefinitionError: If the batch system is not here or refuses.
        """

    @abstractmethod
    def log_of(self, submission: Submission, job: str) -> Path:
        """Return the file with a job's output, which need not exist yet."""

    @abstractmethod
    def own_job(self, environment: Mapping[str, str]) -> OwnJob | None:
        """Return the job that a process with this environment belongs to; None if it is not one of this system."""

    def _check(self, job: BatchJob) -> None:
        find_yaml(job.study)
        if job.storage is not None:
            parse(job.storage)
        for name, instead in self.refused.items():
            if getattr(job, name) != getattr(BatchJob, name):  # the default
                raise DefinitionError(f"--{name.replace('_', '-')} is not for {self.title}: {instead}")
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
        if job.budget_gpu_hours is not None and not job.has_gpu:
            raise DefinitionError("--budget-gpu-hours counts GPUs, and these jobs have none; give --gpus as well")
        if job.max_requeues < 0:
            raise DefinitionError(f"--max-requeues is {job.max_requeues}; it must be 0 or a number of times")
        if job.array > 1 and self.needs_server and not job.uses_server:
            raise DefinitionError(
                f"--array is {job.array}: jobs on several machines need a database server, SQLite is for one; "
                "give --storage postgresql+psycopg://... or set SEARCH_STORAGE"
            )


def _holds_password(word: str) -> bool:
    """Return whether a word of the command line is, or an option in it has, a URL with a password."""
    value = word.partition("=")[2] if word.startswith("-") else word
    return "://" in value and has_password(value)
