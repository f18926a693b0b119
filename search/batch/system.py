"""A batch system as an abstract class. `script` makes the batch script, `submit` hands it in."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar, NamedTuple, final

from search.batch.job import BatchJob
from search.cli.command import Exit
from search.store.url import has_password, parse
from search.study.faults import DefinitionError
from search.study.names import find_yaml
from spaces.shown import shell_word

_JOB_NAME = re.compile(r"[A-Za-z0-9._-]+")

_SCRIPT = """\
#!/bin/bash
{headers}

{first}# {title} signals this shell, which passes the signal on. The run hands its trials back to the study and ends:
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
ONE_AT_A_TIME = "# The database is an SQLite file: only one job at a time.\n"
"""Line of the scripts that may not run several times at once."""
SUBMIT_S = 120.0
"""Maximum number of seconds for the batch system to answer."""
_SHARED = """\
if ! [ -d {folder} ]; then # a run would make another folder here, without the study's weights
    echo "the run folder "{folder}" is not there on $(hostname): it must be on a file system that all nodes share" >&2
    exit 2
fi
"""
_STORAGE_FILE = """\
# The URL of the database holds a password. So it stands in a file that only its owner can read.
SEARCH_STORAGE=$(cat -- {file}) || exit 2
export SEARCH_STORAGE

"""
_KILLED_BY_USR2 = 140
"""Exit code of a process on Linux that SIGUSR2 ended because it did not listen yet."""


class HeaderValue(NamedTuple):
    """The texts that a value in a header may have. No shell reads a header, so its values cannot be quoted."""

    pattern: re.Pattern[str]
    expected: str


class BatchSystem(ABC):
    """A program that queues jobs on a cluster. Subclasses are final and have no state."""

    name: ClassVar[str]
    title: ClassVar[str]
    """Name of the batch system as its users write it."""
    command: ClassVar[str]
    """Command that a user gives the script to."""
    header_values: ClassVar[Mapping[str, HeaderValue]]
    """For each field of the job that `headers` writes as it is, the texts that are allowed."""

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
    def submission(self, file: Path, array: int | None, *, test_only: bool) -> list[str]:
        """Return the command that hands in a script, and prints the job's number alone.

        Args:
            array: Number of jobs; None for that in the script.
            test_only: Whether the batch system shall only check it.
        """

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
        return _SCRIPT.format(
            headers="\n".join(self.headers(job)),
            title=self.title,
            first=("" if job.shared is None else _SHARED.format(folder=shell_word(str(job.shared))))
            + self._storage(job),
            command=" ".join(map(shell_word, job.command)),
            requeue=self.requeue(),
            restarts=self.restarts(),
            max_requeues=job.max_requeues,
            killed=_KILLED_BY_USR2,
            **{code.name.lower(): int(code) for code in Exit},
        )

    @final
    def submit(self, file: Path, array: int | None = None, *, test_only: bool = False) -> str:
        """Hand a script in. Return the job's number, or with `test_only` what the batch system would do.

        Args:
            array: Number of jobs; None for that in the script.

        Raises:
            DefinitionError: If the batch system is not here, or refuses the job.
        """
        words = self.submission(file, array, test_only=test_only)
        if shutil.which(words[0]) is None:
            raise DefinitionError(f"{words[0]} is not here; use a login node, or --print > job.sh")
        # The URL of the database may hold a password, and batch systems keep the environment of a submission.
        environment = {name: value for name, value in os.environ.items() if name != "SEARCH_STORAGE"}
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=SUBMIT_S, check=False)
        if done.returncode:
            said = " ".join((done.stderr or done.stdout).split())
            raise DefinitionError(f"{self.title} refuses the job: {said or f'exit code {done.returncode}'}")
        return " ".join((done.stderr if test_only else done.stdout).split())

    def _storage(self, job: BatchJob) -> str:
        if not job.has_password:
            return ONE_AT_A_TIME if not job.uses_server else ""
        if job.storage_file is None:
            return f': "${{SEARCH_STORAGE:?set it to the URL of the database before you call {self.command}}}"\n'
        return _STORAGE_FILE.format(file=shell_word(str(job.storage_file)))

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
        if job.array > 1 and not job.uses_server:
            raise DefinitionError(
                f"--array is {job.array}: jobs on several machines need a database server, SQLite is for one; "
                "give --storage postgresql+psycopg://... or set SEARCH_STORAGE"
            )


def _holds_password(word: str) -> bool:
    """Return whether a word of the command line is, or an option in it has, a URL with a password."""
    value = word.partition("=")[2] if word.startswith("-") else word
    return "://" in value and has_password(value)
