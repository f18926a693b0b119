"""Show a study's jobs: `yolofront jobs --study nas_head`. Or cancel them, or show their logs.

It asks the batch system and the database once. Do not call it in a loop: many clusters forbid frequent questions.
"""

from __future__ import annotations

import argparse
import sys
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from search.batch.job import BatchJob
from search.batch.job_files import JobFiles
from search.batch.overview import overview_lines, rows_of
from search.batch.queued import QueuedJob, Submission
from search.batch.registry import SYSTEMS
from search.cli.command import Exit, add_study_options, run_command, run_folder, url_of
from search.cli.stored_study import find_study, require_database
from search.store.base import StoreError
from search.store.runs.register import StoredRun
from search.store.url import mask
from search.study.faults import DefinitionError
from spaces.command_line import CommandParser
from spaces.shown import print_aside, print_line

TAIL = 10
"""Number of lines of each log that `--logs` shows where no job is named."""
ALL = "all"


def main(arguments: list[str]) -> int:
    """Run the command line."""
    options = _parser().parse_args(arguments)
    files = JobFiles(run_folder(options).study(BatchJob(options.study).name) / "jobs")
    submissions = files.submissions()
    queued = _queued(submissions)
    if options.cancel is not None:
        return _cancel(queued, options.cancel)
    if options.logs is not None:
        return _show_logs(submissions, queued, options.logs)
    runs, fault = _runs(options, files)
    if not submissions and not runs:
        place = f"no job of '{options.study}' was submitted from {options.project}"
        raise DefinitionError(f"{place}, and {fault or 'no run is stored'}")
    if fault:
        print_aside(fault)
    limits = [run.entry.gpu_hours for run in runs]
    for line in overview_lines(rows_of(queued, runs), limits[-1] if limits else None):
        print_line(line)
    return Exit.DONE


def _queued(submissions: Sequence[Submission]) -> list[QueuedJob]:
    """Return what each batch system still knows of the jobs."""
    queued: list[QueuedJob] = []
    for name, system in SYSTEMS.items():
        if own := [submission for submission in submissions if submission.system == name]:
            queued += system.look(own)
    return queued


def _runs(options: argparse.Namespace, files: JobFiles) -> tuple[tuple[StoredRun, ...], str]:
    """Return the runs in the database, and why it could not be asked, if so."""
    from search.store.outage.patience import Patience  # imports SQLAlchemy: not for --help
    from search.store.sql import open_store

    url = options.storage or files.read_storage() or url_of(options)
    try:
        require_database(url)
        store = open_store(url, Patience(0.0))
    except StoreError as error:
        return (), f"only the batch system was asked: {error}"
    try:
        study = find_study(store, options.study)
        return store.runs(study.name, study.generation), ""
    except DefinitionError:  # the first job has not begun the study yet
        return (), f"study '{options.study}' is not yet in {mask(url)}"
    finally:
        store.close()


def _cancel(queued: Sequence[QueuedJob], wanted: str) -> int:
    chosen = [job for job in _chosen(queued, wanted) if not job.has_ended]
    if not chosen:
        print_line("no job waits or runs")
        return Exit.DONE
    for system in SYSTEMS.values():
        system.cancel([job.job for job in chosen if job.system == system.name])
    print_line(f"cancelled {', '.join(job.job for job in chosen)}: they hand their trials back to the study")
    return Exit.DONE


def _show_logs(submissions: Sequence[Submission], queued: Sequence[QueuedJob], wanted: str) -> int:
    for job in _chosen(queued, wanted):
        submission = next(each for each in submissions if each.number == job.job.partition("_")[0])
        file = SYSTEMS[submission.system].log_of(submission, job.job)
        print_line(f"== {job.job}: {file}")
        for line in _last_lines(file, TAIL if wanted == ALL else None):
            print_line(line)
    return Exit.DONE


def _last_lines(file: Path, count: int | None) -> Sequence[str]:
    if not file.is_file():
        return ["(nothing is written yet)"]
    with file.open(encoding="utf-8", errors="replace") as opened:
        return [line.rstrip("\n") for line in deque(opened, maxlen=count)]


def _chosen(queued: Sequence[QueuedJob], wanted: str) -> list[QueuedJob]:
    """Return the job of that name, the jobs of an array by its number, or all.

    Raises:
        DefinitionError: If the batch system knows no such job of this study.
    """
    chosen = [job for job in queued if wanted in (ALL, job.job, job.job.partition("_")[0])]
    if not chosen and wanted != ALL:
        known = ", ".join(job.job for job in queued) or "none"
        raise DefinitionError(f"'{wanted}' is no job of this study; there are {known}")
    return chosen


def _parser() -> CommandParser:
    parser = CommandParser("search.jobs", description=__doc__)
    add_study_options(parser)
    action = parser.add_mutually_exclusive_group().add_argument
    action("--cancel", nargs="?", const=ALL, metavar="JOB", help="end all jobs, or this one; they do not come back")
    action("--logs", nargs="?", const=ALL, metavar="JOB", help="show the ends of all logs, or the whole log of a job")
    return parser


if __name__ == "__main__":
    sys.exit(run_command(main))
