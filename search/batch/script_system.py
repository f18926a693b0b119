"""Batch systems that take a shell script: the script, and how it is handed in."""

from __future__ import annotations

import os
import shutil
import subprocess
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar, final

from search.batch.job import BatchJob
from search.batch.system import BatchSystem
from search.batch.versions import VERSIONS
from search.cli.command import Exit
from search.study.faults import DefinitionError
from spaces.shown import shell_word

_SCRIPT = """\
#!/bin/bash
{headers}

{first}# {title} signals this shell, which passes the signal on. The run hands its trials back to the study and ends:
# USR2, the time limit is near: with {come_back}, and the job queues up again, at most {max_requeues} times.
# TERM, the job is cancelled{preempted}
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
ANSWER_S = 120.0
"""Maximum number of seconds for the batch system to answer."""
_SHARED = """\
if ! [ -d {folder} ]; then # a run would make another folder here, without the study's weights
    echo "the run folder "{folder}" is not there on $(hostname): it must be on a file system that all nodes share" >&2
    exit 2
fi
"""
_VERSIONS = "export {name}={versions} # of the submitter: the run compares them with the node's\n\n"
_STORAGE_FILE = """\
# The URL of the database holds a password. So it stands in a file that only its owner can read.
SEARCH_STORAGE=$(cat -- {file}) || exit 2
export SEARCH_STORAGE

"""
_KILLED_BY_USR2 = 140
"""Exit code of a process on Linux that SIGUSR2 ended because it did not listen yet."""


class ScriptSystem(BatchSystem):
    """A batch system whose jobs are shell scripts."""

    command: ClassVar[str]
    """Command that a user gives the script to."""
    preempts: ClassVar[bool] = True
    """True if it may end a job for a more urgent one, and then queues it up again."""

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

    def at_start(self, job: BatchJob) -> str:
        """Return commands, each with its line end, that come first."""
        return ""

    def command_of(self, job: BatchJob) -> str:
        """Return the shell command that is the run: it gets the signals, and its exit code counts."""
        return " ".join(map(shell_word, job.command))

    @final
    def _text(self, job: BatchJob) -> str:
        terminated = f": with {int(Exit.TERMINATED)}."
        preempted = f" or preempted{terminated} {self.title} itself queues a preempted job up again."
        return _SCRIPT.format(
            headers="\n".join(self.headers(job)),
            title=self.title,
            preempted=preempted if self.preempts else terminated,
            first=self.at_start(job)
            + (_VERSIONS.format(name=VERSIONS, versions=shell_word(job.versions)) if job.versions else "")
            + ("" if job.shared is None else _SHARED.format(folder=shell_word(str(job.shared))))
            + self._storage(job),
            command=self.command_of(job),
            requeue=self.requeue(),
            restarts=self.restarts(),
            max_requeues=job.max_requeues,
            killed=_KILLED_BY_USR2,
            **{code.name.lower(): int(code) for code in Exit},
        )

    def call_program(self, words: Sequence[str], what: str) -> tuple[str, str]:
        """Return what a program of the batch system prints, on its standard output and on its standard error.

        Args:
            what: What it refuses if it fails.

        Raises:
            DefinitionError: If it is not here, does not answer, or fails.
        """
        if shutil.which(words[0]) is None:
            raise DefinitionError(f"{words[0]} is not here; use a login node, or --print > job.sh")
        # The URL of the database may hold a password, and batch systems keep the environment of a submission.
        environment = {name: value for name, value in os.environ.items() if name != "SEARCH_STORAGE"}
        try:
            done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=ANSWER_S, check=False)
        except subprocess.TimeoutExpired:
            raise DefinitionError(f"{words[0]} does not answer for {ANSWER_S:.0f} s") from None
        if done.returncode:
            said = " ".join((done.stderr or done.stdout).split())
            raise DefinitionError(f"{self.title} refuses {what}: {said or f'exit code {done.returncode}'}")
        return done.stdout, done.stderr

    def _storage(self, job: BatchJob) -> str:
        if not job.has_password:
            return ONE_AT_A_TIME if self.needs_server and not job.uses_server else ""
        if job.storage_file is None:
            return f': "${{SEARCH_STORAGE:?set it to the URL of the database before you call {self.command}}}"\n'
        return _STORAGE_FILE.format(file=shell_word(str(job.storage_file)))


def one_line(text: str) -> str:
    """Return text with all white space as single spaces."""
    return " ".join(text.split())
