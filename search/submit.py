"""Print a batch script for Slurm: `python -m search.submit --study nas_head --print`. It submits nothing itself.

What comes after `--` goes to `python -m search.run` as it is::

    python -m search.submit --study nas_head --print --array 4 --gpus 1 -- --data my.yaml --n-trials 200
"""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from pathlib import Path

from search.cli.command import Exit, add_study_options, run_command, url_of
from search.store.url import mask
from search.study.faults import DefinitionError
from search.study.names import find_study

GRACE_S = 60
"""Seconds before the time limit at which Slurm asks us to stop; a trial is handed back within 10 s."""

# What goes into a header line is not read by a shell and cannot be quoted, so it is held to these.
_PATTERNS = {
    "time": (re.compile(r"(\d+-)?\d+(:\d\d){0,2}"), "minutes, hh:mm:ss or days-hh, such as 08:00:00"),
    "partition": (re.compile(r"[A-Za-z0-9._,-]+"), "a partition's name"),
    "gpus": (re.compile(r"([A-Za-z0-9._-]+:)?\d+"), "a number, or type:number such as a100:1"),
}

SCRIPT = """\
#!/bin/bash
{headers}

# On SIGTERM (time limit near, or preempted) the run hands its trial back. It is passed on, because Slurm signals
# this shell; afterwards the job queues up again, since the same command continues the study.
{storage}{command} &
run=$!
trap 'kill -TERM "$run"' TERM
wait "$run"
code=$?
if [ "$code" -gt 128 ]; then # the signal may have ended only the waiting
    wait "$run"
    code=$?
fi
if [ "$code" -eq {terminated} ]; then
    scontrol requeue "${{SLURM_ARRAY_JOB_ID:+${{SLURM_ARRAY_JOB_ID}}_}}${{SLURM_ARRAY_TASK_ID:-$SLURM_JOB_ID}}"
fi
exit "$code"
"""


def main(arguments: list[str]) -> int:
    """The command line."""
    own, passed_on = _split(arguments)
    options = _parser().parse_args(own)
    _check(options)
    if not options.print:
        raise DefinitionError("--print is missing: jobs are not submitted yet, only printed; try: --print > job.sh")
    print(batch_script(options, passed_on), end="")
    return Exit.DONE


def batch_script(options: argparse.Namespace, passed_on: list[str]) -> str:
    """The batch script as text. A database URL with a password is not written into it."""
    secret = options.storage is not None and mask(options.storage) != options.storage
    storage = ': "${SEARCH_STORAGE:?set it to the URL of the database before you call sbatch}"\n' if secret else ""
    return SCRIPT.format(
        headers="\n".join(f"#SBATCH {line}" for line in _headers(options)),
        storage=storage,
        command=shlex.join(_command(options, passed_on, with_storage=not secret)),
        terminated=int(Exit.TERMINATED),
    )


def _headers(options: argparse.Namespace) -> list[str]:
    lines = [
        f"--job-name={Path(options.study).stem}",
        "--output=%x-%j.out",
        "--open-mode=append",
        "--nodes=1",
        "--ntasks=1",
        f"--cpus-per-task={options.workers * options.threads}",
        f"--time={options.time}",
    ]
    lines += [f"--{name}={getattr(options, name)}" for name in ("partition", "gpus") if getattr(options, name)]
    if options.array > 1:
        lines.append(f"--array=1-{options.array}")
    return [*lines, "--requeue", f"--signal=B:TERM@{GRACE_S}"]


def _command(options: argparse.Namespace, passed_on: list[str], *, with_storage: bool) -> list[str]:
    command = [options.python, "-m", "search.run", "--study", options.study, "--project", str(options.project)]
    if options.storage is not None and with_storage:
        command += ["--storage", options.storage]
    command += ["--workers", str(options.workers), "--threads", str(options.threads)]
    if options.gpus:
        command += ["--device", "0"]
    return command + passed_on


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Our own arguments, and what goes on to `search.run`."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:at], arguments[at + 1 :]


def _check(options: argparse.Namespace) -> None:
    find_study(options.study)
    for name, (pattern, right) in _PATTERNS.items():
        value = getattr(options, name)
        if value is not None and not pattern.fullmatch(value):
            raise DefinitionError(f"--{name} is {value!r}; it must be {right}")
    if not re.fullmatch(r"[A-Za-z0-9._-]+", Path(options.study).stem):
        raise DefinitionError(f"--study is {options.study!r}; a job's name takes letters, digits, dots and dashes only")
    for name in ("workers", "threads", "array"):
        if getattr(options, name) < 1:
            raise DefinitionError(f"--{name} is {getattr(options, name)}; it must be at least 1")
    if options.array > 1 and url_of(options).startswith("sqlite"):
        raise DefinitionError(
            f"--array is {options.array}: jobs on several machines need a database server, SQLite is for one; "
            "give --storage postgresql+psycopg://... or set SEARCH_STORAGE"
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m search.submit",
        description="Print a batch script for Slurm. What comes after -- goes to search.run as it is.",
    )
    add_study_options(parser)
    add = parser.add_argument
    add("--print", action="store_true", help="print the batch script")
    add("--time", default="08:00:00", metavar="HH:MM:SS", help="time limit of a job (default: %(default)s)")
    add("--partition", metavar="NAME", help="Slurm partition")
    add("--gpus", metavar="N", help="GPUs of each job; training then runs on the first")
    add("--array", type=int, default=1, metavar="N", help="so many jobs on one study (default: %(default)s)")
    add("--workers", type=int, default=1, metavar="N", help="processes in each job (default: %(default)s)")
    add("--threads", type=int, default=1, metavar="N", help="torch threads of each worker (default: %(default)s)")
    add("--python", default=sys.executable, metavar="FILE", help="interpreter on the cluster (default: this one)")
    return parser


if __name__ == "__main__":
    sys.exit(run_command(main))
