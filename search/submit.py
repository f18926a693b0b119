"""Submit jobs to a batch system that work on a study together.

Arguments after `--` are passed to `yolofront run` unchanged::

    yolofront submit --study nas_head --array 4 --gpus 1 -- --data my.yaml --n-trials 200
    yolofront submit --study nas_head --add 4      # four more jobs like these

`--print` shows the batch script and submits nothing; with `--system kubernetes` a manifest for `kubectl apply`.
`--system local` starts the jobs on this machine, as processes in the background.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from search.batch.containers import CONTAINER_PROGRAMS
from search.batch.job import BatchJob
from search.batch.job_files import JobFiles
from search.batch.queued import Submission
from search.batch.registry import DEFAULT_SYSTEM, SYSTEMS
from search.batch.script_system import ONE_AT_A_TIME
from search.batch.site_defaults import SITE_OPTIONS, read_defaults
from search.batch.versions import installed_versions
from search.cli.checkup import Verdict, check_database, check_run_folder
from search.cli.command import Exit, add_study_options, run_command, run_folder, url_of
from search.study.faults import DefinitionError
from spaces.command_line import CommandParser
from spaces.shown import print_line


def main(arguments: list[str]) -> int:
    """Run the command line."""
    own, passed_on = _split(arguments)
    options = _parser().parse_args(own)
    defaults = read_defaults()
    if defaults:  # those that this batch system knows; they are not asked for, as the command line's are
        refused = SYSTEMS[options.system].refused
        parser = _parser()
        parser.set_defaults(**{name: value for name, value in defaults.items() if name not in refused})
        options = parser.parse_args(own)
    files = JobFiles(run_folder(options).study(BatchJob(options.study).name) / "jobs")
    if options.add is not None:
        return _add(options, files)
    job = _job(options, tuple(passed_on))
    if options.print:
        print_line(SYSTEMS[options.system].render(job).removesuffix("\n"))
        return Exit.DONE
    return _submit(job, files, options)


def _job(options: argparse.Namespace, passed_on: tuple[str, ...]) -> BatchJob:
    """Return the job; the URL of the database is that of now, whatever the environment on the node is."""
    storage = options.storage or os.environ.get("SEARCH_STORAGE") or None
    asked = {name: getattr(options, name) for name in (*SITE_OPTIONS, "array", "dependency", "budget_gpu_hours")}
    is_here = SYSTEMS[options.system].runs_here and not options.container
    asked["python"] = options.python or (sys.executable if is_here else "python")
    is_this = is_here and asked["python"] == sys.executable and not options.no_check
    asked["versions"] = installed_versions() if is_this else ""
    return BatchJob(options.study, options.project, storage, passed_on, **asked)


def _submit(job: BatchJob, files: JobFiles, options: argparse.Namespace) -> int:
    system = SYSTEMS[options.system]
    system.render(job)  # what is wrong in the options is said first
    for check in (check_run_folder(options.project), check_database(url_of(options))):
        if check.verdict is Verdict.BROKEN:
            raise DefinitionError(f"{check.name}: {check.value}")
    if not options.no_check:
        _check_run(job)
    if job.storage is not None and job.has_password:
        files.keep_storage(job.storage)
        job = replace(job, storage_file=files.storage)
    file = files.keep_script(system.render(replace(job, shared=files.folder)))
    try:
        system.submit(file, test_only=True)
        number = system.submit(file)
    except BaseException:
        file.unlink()
        raise
    files.note_submission(_submission(options.system, number, job.array, job.name))
    many = f"{job.array} jobs" if job.array > 1 else "job"
    print_line(f"submitted {many} {number}: {file}")
    return Exit.DONE


def _add(options: argparse.Namespace, files: JobFiles) -> int:
    if options.add < 1:
        raise DefinitionError(f"--add is {options.add}; it must be at least 1")
    file = files.newest()
    if ONE_AT_A_TIME in file.read_text(encoding="utf-8"):
        raise DefinitionError(f"--add: {file} is for an SQLite file, which one job uses at a time; use PostgreSQL")
    number = SYSTEMS[options.system].submit(file, options.add)
    files.note_submission(_submission(options.system, number, options.add, BatchJob(options.study).name))
    print_line(f"added {options.add} {'jobs' if options.add > 1 else 'job'}, {number}: {file}")
    return Exit.DONE


def _submission(system: str, number: str, tasks: int, name: str) -> Submission:
    return Submission(system=system, number=number, tasks=tasks, name=name, folder=str(Path.cwd()))


def _check_run(job: BatchJob) -> None:
    """Let `search.run` read the study with all its options, as it will on the node.

    Raises:
        DefinitionError: If it refuses them.
    """
    here = job if job.container is None else replace(job, python=sys.executable)
    checked = [*here.command, "--print-config"]
    environment = os.environ if job.storage is None else {**os.environ, "SEARCH_STORAGE": job.storage}
    done = subprocess.run(checked, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"{job.python} ended with exit code {done.returncode}"]
        raise DefinitionError(f"the jobs would fail: {lines[-1].removeprefix('error: ')}")


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return this command's own arguments, and those of `search.run`."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:at], arguments[at + 1 :]


def _parser() -> CommandParser:
    parser = CommandParser(
        "search.submit",
        description="Submit jobs that work on a study to Slurm, or start them on this machine with --system local. "
        "Arguments after -- are passed to search.run unchanged.",
    )
    add_study_options(parser)
    add = parser.add_argument
    add("--system", choices=tuple(SYSTEMS), default=DEFAULT_SYSTEM, help="batch system (default: %(default)s)")
    add("--print", action="store_true", help="print the batch script and submit nothing")
    add("--add", type=int, metavar="N", help="submit N more jobs like the last ones")
    add(
        "--no-check",
        action="store_true",
        help="submit without a look at the study, and let the node have other versions",
    )
    add("--array", type=int, default=1, metavar="N", help="number of jobs on one study (default: %(default)s)")
    add("--gpus", metavar="N", help="GPUs of each job; training then runs on the first")
    add("--gres", metavar="shard:2", help="a part of a GPU, where the site has shards, MPS or MIG slices")
    add("--budget-gpu-hours", type=float, metavar="60", help="begin no trial after this GPU time of all jobs together")
    add("--time", default="08:00:00", metavar="HH:MM:SS", help="time limit of a job (default: %(default)s)")
    add("--mem", metavar="16G", help="memory of each job (default: 4G for each worker)")
    add("--partition", metavar="NAME", help="queue that the jobs wait in")
    add("--account", metavar="NAME", help="account that pays")
    add("--qos", metavar="NAME", help="quality of service")
    add("--constraint", metavar="FEATURES", help="features that a node must have: 'a100|h100'")
    add(
        "--mail",
        metavar="ADDRESS",
        help="address told when a job ends, fails or has used 80 %% of its time",
    )
    add("--dependency", metavar="afterok:1234", help="jobs that must have ended before")
    add("--container", metavar="IMAGE", help="image that the jobs run in; for slurm and kubernetes")
    add(
        "--container-by",
        choices=CONTAINER_PROGRAMS,
        default=BatchJob.container_by,
        help="program that starts the container on slurm (default: %(default)s)",
    )
    add("--container-bind", metavar="PATHS", help="further paths to see in the container: /scratch,/datasets")
    add("--workers", type=int, default=1, metavar="N", help="processes in each job (default: %(default)s)")
    add("--threads", type=int, default=1, metavar="N", help="torch threads of each worker (default: %(default)s)")
    add(
        "--max-requeues",
        type=int,
        default=BatchJob.max_requeues,
        metavar="N",
        help="times that a job queues up again, preemptions included (default: %(default)s)",
    )
    add("--python", metavar="FILE", help="interpreter on the cluster (default: this one; in an image, python)")
    return parser


if __name__ == "__main__":
    sys.exit(run_command(main))
