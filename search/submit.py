"""Print a batch script for Slurm: `python -m search.submit --study nas_head --print`. It submits nothing itself.

Arguments after `--` are passed to `python -m search.run` unchanged::

    python -m search.submit --study nas_head --print --array 4 --gpus 1 -- --data my.yaml --n-trials 200
"""

from __future__ import annotations

import argparse
import sys

from search.batch.registry import DEFAULT_SYSTEM, SYSTEMS
from search.batch.system import BatchJob
from search.cli.command import Exit, add_study_options, run_command
from search.study.faults import DefinitionError
from spaces.shown import print_line


def main(arguments: list[str]) -> int:
    """Run the command line."""
    own, passed_on = _split(arguments)
    options = _parser().parse_args(own)
    job = BatchJob(
        options.study,
        options.project,
        options.storage,
        tuple(passed_on),
        python=options.python,
        workers=options.workers,
        threads=options.threads,
        array=options.array,
        time=options.time,
        partition=options.partition,
        gpus=options.gpus,
        max_requeues=options.max_requeues,
    )
    script = SYSTEMS[DEFAULT_SYSTEM].script(job)
    if not options.print:
        raise DefinitionError("--print is missing: jobs are not submitted yet, only printed; try: --print > job.sh")
    print_line(script.removesuffix("\n"))
    return Exit.DONE


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return this command's own arguments, and those of `search.run`."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:at], arguments[at + 1 :]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m search.submit",
        description="Print a batch script for Slurm. Arguments after -- are passed to search.run unchanged.",
    )
    add_study_options(parser)
    add = parser.add_argument
    add("--print", action="store_true", help="print the batch script")
    add("--time", default="08:00:00", metavar="HH:MM:SS", help="time limit of a job (default: %(default)s)")
    add("--partition", metavar="NAME", help="Slurm partition")
    add("--gpus", metavar="N", help="GPUs of each job; training then runs on the first")
    add("--array", type=int, default=1, metavar="N", help="number of jobs on one study (default: %(default)s)")
    add("--workers", type=int, default=1, metavar="N", help="processes in each job (default: %(default)s)")
    add("--threads", type=int, default=1, metavar="N", help="torch threads of each worker (default: %(default)s)")
    add(
        "--max-requeues",
        type=int,
        default=BatchJob.max_requeues,
        metavar="N",
        help="times that a job whose time is up queues up again (default: %(default)s)",
    )
    add("--python", default=sys.executable, metavar="FILE", help="interpreter on the cluster (default: this one)")
    return parser


if __name__ == "__main__":
    sys.exit(run_command(main))
