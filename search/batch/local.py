"""This machine as a batch system: jobs are processes in the background, which outlive the terminal."""

from __future__ import annotations

import os
import platform
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, NamedTuple, final

from search.batch.job import BatchJob
from search.batch.queued import OwnJob, QueuedJob, Submission
from search.batch.script_system import ScriptSystem
from search.batch.system import HeaderValue
from search.cli.command import Exit
from search.study.faults import DefinitionError

LOCAL_JOB, LOCAL_END, LOCAL_RESTARTS = "YOLOFRONT_LOCAL_JOB", "YOLOFRONT_LOCAL_END", "YOLOFRONT_LOCAL_RESTARTS"
"""Variables of a job's environment: its name, the file for its exit code, and how often it was begun before."""
PAUSE_S = 60
"""Seconds until a job that handed its trials back begins again: a database or disk needs some time."""
GPUS = "CUDA_VISIBLE_DEVICES"
_STATES = {Exit.DONE: "COMPLETED", Exit.TERMINATED: "CANCELLED", Exit.INTERRUPTED: "CANCELLED"}
_ASKED = re.compile(r"^# (\S+): (\d+) jobs?, (\d+) GPUs? each$", re.MULTILINE)
_BACKGROUND = 'bash "$1" "$2" < /dev/null >> "$3" 2>&1 & echo "$!"'
"""Starts a script in the background and prints its process number. The caller is not its parent: it need not wait."""
_INSTEAD = "it is for a cluster's queue, and processes on one machine begin at once"


class _Process(NamedTuple):
    """A job's process, as it is noted in a file."""

    node: str
    pid: int


def noted_jobs() -> Path:
    """Return the folder with a folder for each submission, `~/.local/state/yolofront/jobs`."""
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "yolofront" / "jobs"


@final
class Local(ScriptSystem):
    """Scripts that bash runs in the background, each in a session of its own."""

    name = "local"
    title = "the local system"
    command = "bash"
    needs_server = False
    preempts = False
    header_values: ClassVar[Mapping[str, HeaderValue]] = {"gpus": HeaderValue(re.compile(r"\d+"), "a number")}
    refused: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("partition", "account", "qos", "constraint", "dependency", "gres"), _INSTEAD),
        "mail": "give --on-done COMMAND after the --",
        "mem": "nothing limits the memory of a process here",
        "time": "give --timeout after the --",
        **dict.fromkeys(("container", "container_by", "container_bind"), "--python may name a program that calls one"),
    }

    def headers(self, job: BatchJob) -> Iterator[str]:
        """Yield a line that `submit` reads."""
        gpus = int(job.gpus or 0)
        jobs, each = "jobs" if job.array != 1 else "job", "GPUs" if gpus != 1 else "GPU"
        yield f"# {job.name}: {job.array} {jobs}, {gpus} {each} each"

    def requeue(self) -> str:
        """Return a command that waits and becomes the job again; a signal ends the waiting, and so the job."""
        again = f'exec env {LOCAL_RESTARTS}="$((${{{LOCAL_RESTARTS}:-0}} + 1))" bash "$0" "$@"'
        return f'sleep {PAUSE_S} & run=$!; wait "$run" && {again} || code={int(Exit.TERMINATED)}'

    def restarts(self) -> str:
        """Return the number that `requeue` counts."""
        return f"${{{LOCAL_RESTARTS}:-0}}"

    def at_start(self, job: BatchJob) -> str:
        """Return the command by which the job's exit code is noted for `look`, whatever it ends with."""
        return f"""trap 'echo "$?" > "${{{LOCAL_END}:-/dev/null}}"' EXIT\n"""

    def submit(self, file: Path, tasks: int | None = None, *, test_only: bool = False) -> str:
        """Start the processes. Their standard output goes to files in the present folder."""
        asked = _ASKED.search(file.read_text(encoding="utf-8"))
        if asked is None:
            raise DefinitionError(f"{file} is no script for this machine; submit without --add")
        name, count, gpus = asked[1], tasks or int(asked[2]), int(asked[3])
        devices = _devices(count, gpus)
        if test_only:
            return f"{count} processes would start"
        folder = _new_folder(noted_jobs())
        for task in range(1, count + 1):
            job = f"{folder.name}_{task}"
            own = {LOCAL_JOB: job, LOCAL_END: str(folder / f"{task}.end")}
            if gpus:
                own[GPUS] = ",".join(devices[(task - 1) * gpus : task * gpus])
            pid = _start(file, job, Path(f"{name}-{job}.out"), own)
            (folder / f"{task}.pid").write_text(f"{platform.node()} {pid}\n", encoding="utf-8")
        return folder.name

    def look(self, submissions: Sequence[Submission]) -> tuple[QueuedJob, ...]:
        """Read what was noted of each process, and ask `ps` which of them live."""
        jobs = [(each.number, task) for each in submissions for task in range(1, each.tasks + 1)]
        noted = {f"{number}_{task}": _noted(noted_jobs() / number / f"{task}.pid") for number, task in jobs}
        living = _living(noted)
        return tuple(
            self._seen(f"{number}_{task}", noted[f"{number}_{task}"], noted_jobs() / number / f"{task}.end", living)
            for number, task in jobs
        )

    def cancel(self, jobs: Sequence[str]) -> None:
        """Send SIGTERM to the shells, which pass it on."""
        noted = {job: _noted(noted_jobs() / job.rpartition("_")[0] / f"{job.rpartition('_')[2]}.pid") for job in jobs}
        for job, process in noted.items():
            if process is not None and process.node != platform.node():
                raise DefinitionError(f"{job} runs on {process.node}: cancel it there")
        for pid in _living(noted).values():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def log_of(self, submission: Submission, job: str) -> Path:
        """Return the file that `submit` has opened."""
        return Path(submission.folder) / f"{submission.name}-{job}.out"

    def own_job(self, environment: Mapping[str, str]) -> OwnJob | None:
        """Read the variables that `submit` sets."""
        if (job := environment.get(LOCAL_JOB)) is None:
            return None
        restarts = int(environment.get(LOCAL_RESTARTS) or 0)
        return OwnJob(system=self.name, job=job, restarts=restarts, node=platform.node())

    def _seen(self, job: str, process: _Process | None, end: Path, living: Mapping[str, int]) -> QueuedJob:
        node = "" if process is None else process.node
        if job in living:
            return QueuedJob(system=self.name, job=job, state="RUNNING", has_ended=False, node=node)
        if end.is_file() and (code := end.read_text().strip()).isdecimal():
            state = _STATES.get(int(code), "FAILED")  # type: ignore[call-overload]
            reason = f"exit code {code}" if state == "FAILED" else ""
            return QueuedJob(system=self.name, job=job, state=state, has_ended=True, node=node, reason=reason)
        is_away = process is not None and node != platform.node()
        state = "UNKNOWN" if is_away else "KILLED"
        return QueuedJob(system=self.name, job=job, state=state, has_ended=not is_away, node=node)


def _devices(count: int, gpus: int) -> list[str]:
    """Return the GPUs of this machine.

    Raises:
        DefinitionError: If there are fewer than the jobs ask for together.
    """
    if not gpus:
        return []
    visible = os.environ.get(GPUS)
    if visible is not None:
        found = [name.strip() for name in visible.split(",") if name.strip()]
    elif shutil.which("nvidia-smi"):
        asked = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
        found = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split()
    else:
        found = []
    if len(found) < count * gpus:
        raise DefinitionError(
            f"{count} jobs with {gpus} GPU{'s' if gpus != 1 else ''} each need {count * gpus}; this machine has "
            f"{len(found)}; several workers can share one: --workers"
        )
    return found


def _new_folder(folder: Path) -> Path:
    """Make a folder with the next free number and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = [int(each.name.removeprefix("local")) for each in folder.glob("local*") if each.name[5:].isdecimal()]
    number = max(numbers, default=0) + 1
    while True:
        with suppress(FileExistsError):  # another command takes this number at the same moment
            (folder / f"local{number}").mkdir()
            return folder / f"local{number}"
        number += 1


def _start(file: Path, job: str, log: Path, own: Mapping[str, str]) -> int:
    """Start the shell of a job. Return its process number."""
    environment = {name: value for name, value in os.environ.items() if name != LOCAL_RESTARTS} | dict(own)
    words = ["bash", "-c", _BACKGROUND, "bash", str(file), job, str(log)]
    done = subprocess.run(words, env=environment, stdout=subprocess.PIPE, text=True, check=True, start_new_session=True)
    return int(done.stdout)


def _noted(file: Path) -> _Process | None:
    if not file.is_file():
        return None
    node, pid = file.read_text(encoding="utf-8").split()
    return _Process(node, int(pid))


def _living(noted: Mapping[str, _Process | None]) -> dict[str, int]:
    """Return the process numbers of the jobs that live on this machine. The last word of their command is the job."""
    here = {each.pid: job for job, each in noted.items() if each is not None and each.node == platform.node()}
    if not here:
        return {}
    asked = ["ps", "-o", "pid=,args=", "-p", ",".join(map(str, here))]
    lines = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.splitlines()
    words = [line.split() for line in lines]
    return {here[int(each[0])]: int(each[0]) for each in words if here.get(int(each[0])) == each[-1]}
