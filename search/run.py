"""Run a study: `python -m search.run --study nas_head`. The same command again continues it."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from objectives.data.yaml_file import read_definition
from search.cli.command import Exit, add_study_options, error_line, run_command, run_folder, seconds_of, url_of
from search.prepare.study_entry import generation_wanted
from search.store.base import Store, StoreError, StudyEntry
from search.store.sql import open_store
from search.store.url import mask
from search.study.definition import StudyDefinition, load_study
from search.study.faults import DefinitionError
from search.work.job import Job
from search.work.liveness import STALE_AFTER_S, is_alive
from search.work.progress import Progress
from search.work.supervisor import Finish, Supervisor, for_workers

WORKERS_PER_CORE = 4
"""More would only be in each other's way; and a slip of the pen should not bring the machine down."""
ENDINGS = {
    "done": "the study has its trials",
    "timeout": "the time is up; the same command continues",
    "exhausted": "the space is exhausted: 50 proposals in a row were duplicates",
}


def main(arguments: list[str]) -> int:
    """The command line."""
    options = _parser().parse_args(arguments)
    definition = _definition(options)
    if options.print_config:
        from search.work.print_config import print_config  # reads weights, hence torch

        return print_config(definition)
    if options.dry_run:
        from search.work.dry_run import dry_run

        return dry_run(definition, options.device, options.threads, url_of(options))
    _check_paths(definition)
    timeout_s = None if options.timeout is None else seconds_of(options.timeout)
    store = open_store(url_of(options))
    try:
        generation = generation_wanted(store, definition, new=options.new, resume=options.resume)
        job = Job(
            study=definition.name,
            generation=generation,
            definition=definition.as_plain(),
            url=url_of(options),
            root=run_folder(options).root,
            index=0,
            device=options.device,
            threads=options.threads,
            n_trials=definition.n_trials,
            timeout_s=timeout_s,
        )
        return _run(store, definition, job, options)
    finally:
        store.close()


def _run(store: Store, definition: StudyDefinition, job: Job, options: argparse.Namespace) -> int:
    console = Console(soft_wrap=True)
    before = store.latest_study(definition.name)
    counted = store.counted(before) if before is not None and before.generation == job.generation else 0
    console.print(
        f"study {definition.name}: {counted} of {definition.n_trials} trials done, "
        f"{options.workers} worker{'s' if options.workers != 1 else ''}, {mask(job.url)}",
        highlight=False,
    )
    _set_threads(options.threads)
    with Progress(console, tuple(definition.objectives), definition.n_trials, counted) as progress:
        finish = Supervisor(for_workers(job, options.workers), progress.show).run()
    _hand_back_dead(store, definition)
    if finish.why == "interrupted":
        console.print("interrupted; the running trials were handed back, the same command continues")
        return finish.exit_code
    if finish.why == "error":
        print(f"error: {finish.error}", file=sys.stderr)
        return finish.exit_code
    study = store.latest_study(definition.name)
    if study is None:  # the workers left without an error, so they opened it
        raise StoreError(f"study '{definition.name}' is no longer in the database")
    return _show_result(store, study, finish, console, options)


def _hand_back_dead(store: Store, definition: StudyDefinition) -> None:
    """Take back what workers held that had to be killed, or were interrupted before they knew that they held it.

    If the database is gone, the next start does it.
    """
    with suppress(StoreError):
        study = store.latest_study(definition.name)
        if study is not None:
            store.reconcile(study, is_alive, STALE_AFTER_S)


def _show_result(store: Store, study: StudyEntry, finish: Finish, console: Console, options: argparse.Namespace) -> int:
    from search.pages.study_report import (  # matplotlib: seconds that a usage error need not wait for
        print_findings,
        write_report,
    )

    if finish.why != "timeout" and options.polish is not None:
        polish_at_end(store, study, console, options)
    if finish.why != "timeout" and not options.no_confirm:
        confirm_at_end(store, study, console, options)
    print_findings(store, study, more_seconds=finish.seconds)
    paths = write_report(store, study, run_folder(options).study(study.sampler_name))
    console.print(ENDINGS[finish.why])
    for path in paths:
        console.print(str(path), highlight=False)
    where = _place(options)
    console.print(f"look: python -m search.dashboard --study {study.sampler_name}{where}", highlight=False)
    console.print(
        f"take: python -m search.export --study {study.sampler_name}{where} --knee --format onnx", highlight=False
    )
    return Exit.DONE


def polish_at_end(store: Store, study: StudyEntry, console: Console, options: argparse.Namespace) -> None:
    """Train the front's trials for longer."""
    from search.finish.polishing import polish, select_for_polishing

    def work(say: Callable[[str], None]) -> None:
        members = select_for_polishing(store, study)
        polish(store, study, run_folder(options), members, epochs=options.polish, device=options.device, say=say)

    again = f"search.polish --study {study.sampler_name}{_place(options)} --epochs {options.polish}"
    _at_end(work, console, "the front is not polished", again)


def confirm_at_end(store: Store, study: StudyEntry, console: Console, options: argparse.Namespace) -> None:
    """Time the front's members again, side by side, unless they were."""
    from search.finish.finalists import is_confirmed, select_finalists

    def work(say: Callable[[str], None]) -> None:
        if is_confirmed(store, study):
            return
        from search.finish.race import confirm  # torch: seconds that a study without a front need not wait for

        confirm(store, study, run_folder(options), select_finalists(store, study), say=say)

    again = f"search.confirm --study {study.sampler_name}{_place(options)}"
    _at_end(work, console, "the finalists are not confirmed", again)


def _at_end(work: Callable[[Callable[[str], None]], None], console: Console, failed: str, again: str) -> None:
    """Do what comes after the last trial.

    The study is whole without it: whatever fails, a fault of ours too, is told with the command that repeats it, and
    table and report of hours of training are written all the same.
    """

    def say(line: str) -> None:
        console.print(line, highlight=False, markup=False)

    try:
        work(say)
    except Exception as error:  # see above
        say(f"{failed}: {' '.join(error_line(error).split())}; try again: python -m {again}")


def _place(options: argparse.Namespace) -> str:
    """The options that lead the other commands to the same database and folder."""
    project = None if options.project == Path("runs") else options.project
    asked = (("project", project), ("storage", options.storage and mask(options.storage)))
    return "".join(f" --{name} {shlex.quote(str(value))}" for name, value in asked if value)


def _definition(options: argparse.Namespace) -> StudyDefinition:
    if options.workers < 1:
        raise DefinitionError(f"--workers is {options.workers}; it must be at least 1")
    most = WORKERS_PER_CORE * (os.cpu_count() or 1)
    if options.workers > most:
        raise DefinitionError(f"--workers is {options.workers}; it must be at most {most} on this machine's cores")
    if options.threads < 1:
        raise DefinitionError(f"--threads is {options.threads}; it must be at least 1")
    if options.polish is not None and options.polish < 1:
        raise DefinitionError(f"--polish is {options.polish}; it must be at least 1 epoch")
    if options.new and options.resume:
        raise DefinitionError("--new and --resume exclude each other")
    return load_study(
        options.study,
        options.override,
        name=options.name,
        data=options.data,
        model=options.model,
        imgsz=options.imgsz,
        epochs=options.epochs,
        batch=options.batch,
        seed=options.seed,
        n_trials=options.n_trials,
    )


def _check_paths(definition: StudyDefinition) -> None:
    """Find what is plainly wrong before any process starts: the whole check comes with the first worker.

    Raises:
        DataError: If the data set's YAML or a folder that it names is not there or not right.
        DefinitionError: If the weights are not there.
    """
    if definition.data.source != "digits":
        read_definition(Path(definition.data.source))
    weights = definition.parent.weights
    if weights is not None and not Path(weights).exists():
        raise DefinitionError(f"parent.weights is '{weights}', which does not exist; give a .pt or .safetensors file")


def _set_threads(threads: int) -> None:
    """Workers inherit this; OpenMP reads it when they load torch."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m search.run", description=__doc__)
    add_study_options(parser)
    add = parser.add_argument
    add("--data", metavar="YAML", help="data set in Ultralytics format (default: the study's own)")
    add("--model", metavar="FILE", help="model YAML, or trained weights: .pt, .safetensors, a checkpoint folder")
    add("--imgsz", type=int, metavar="PX", help="image size of the study (default: the data's, the weights', or 640)")
    add("--epochs", type=int, help="epochs of each trial")
    add("--batch", type=int, help="images a batch")
    add("--device", default="cpu", help="where training runs: cpu, 0, 1, ... (default: %(default)s)")
    add("--seed", type=int, help="of training; each worker samples with one of its own, made of this")
    add("--n-trials", type=int, metavar="N", help="the study's total of finished, stopped and ruled-out trials")
    add("--timeout", metavar="8h", help="begin no trial after this long")
    add("--workers", type=int, default=1, metavar="N", help="processes on this machine (default: %(default)s)")
    add("--threads", type=int, default=1, metavar="N", help="torch threads of each worker (default: %(default)s)")
    add("--name", help="store the study under this name")
    add("-o", "--override", action="append", default=[], metavar="KEY=VALUE", help="set a field: -o recipe.lr0=0.01")
    add("--new", action="store_true", help="begin the study again; the old one stays in the database")
    add("--resume", action="store_true", help="continue; an error if the study is not in the database")
    add("--no-confirm", action="store_true", help="do not time the front's members again, side by side, at the end")
    add("--polish", type=int, metavar="EPOCHS", help="when the study is done, train the front's trials for so long")
    add("--dry-run", action="store_true", help="check everything, try one candidate, say how long it will take")
    add("--print-config", action="store_true", help="print the definition with every value settled")
    return parser


if __name__ == "__main__":
    sys.exit(run_command(main))
