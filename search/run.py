"""Run a study: `yolofront run --study nas_head`. The same command again continues it."""

from __future__ import annotations

import argparse
import math
import os
import sys
from dataclasses import fields

from objectives.device.device_names import devices_of
from objectives.recipe import Recipe
from search.cli.command import add_study_options, run_command, run_folder, seconds_of, url_of
from search.cli.hard_end import ended_after
from search.cli.stored_study import existing_store, find_study
from search.cli.yolo_words import AUTO, OF_TRAINING, batch_size, numbers
from search.prepare.early_checks import check_early
from search.study.budget import repeats_in_all
from search.study.definition import StudyDefinition, load_study
from search.study.faults import DefinitionError
from search.study.retarget import retargeted
from search.study.scale import SCALE
from spaces.command_line import CommandParser, verbosity
from spaces.display.terminal import ShownConsole
from spaces.shown import print_error

OF_THE_STORED_STUDY = (
    "data", "model", "imgsz", "skip_bad", "classes", "single_cls", "fraction", "epochs", "batch", "seed", "name",
    "dry_run",
)  # fmt: skip
"""Options that cannot be given for a second target."""
WORKERS_PER_CORE = 4
"""Maximum number of workers per core: more would only slow each other down. It also catches typing errors."""


def main(arguments: list[str]) -> int:
    """Run the command line."""
    options = _parser().parse_args(arguments)
    if wanted := os.environ.get("YOLOFRONT_VERSIONS"):  # set by the script of a batch job
        from search.batch.versions import check_versions

        check_versions(wanted)
    _check(options)
    with ended_after(_timeout_s(options)):
        return _main(options)


def _main(options: argparse.Namespace) -> int:
    url = url_of(options)
    definition = _definition(options)
    repeats = repeats_in_all(definition.budget, options.repeat)
    if options.print_config or options.dry_run:
        check_early(definition, options.device)
    if options.print_config:
        from search.work.print_config import print_config  # imports torch to read weights

        return print_config(definition, repeats=repeats)
    if options.dry_run:
        from search.work.dry_run import dry_run

        return dry_run(
            definition,
            device=devices_of(options.device)[0],
            threads=options.threads,
            url=url,
            repeats=repeats,
            strict=options.strict,
            measures_batch=options.batch == AUTO,
        )
    return _run(definition, options)


def _run(definition: StudyDefinition, options: argparse.Namespace) -> int:
    from search.batch.registry import own_job
    from search.finish.run_request import RunRequest
    from search.finish.study_run import run_study
    from search.work.json_log import JsonConsole

    request = RunRequest(
        definition,
        run_folder(options),
        url_of(options),
        new=options.new,
        resume=options.resume,
        device=options.device,
        workers=_workers(options),
        threads=options.threads,
        timeout_s=_timeout_s(options),
        polish_epochs=options.polish,
        confirm=not options.no_confirm,
        repeats=options.repeat,
        strict=options.strict,
        database_wait_s=seconds_of(options.database_wait, "--database-wait"),
        verbosity=verbosity(),
        keep_every_s=seconds_of(options.keep_every, "--keep-every"),
        leaves=own_job() is not None,
        measures_batch=options.batch == AUTO,
        gpu_hours=options.budget_gpu_hours,
        parent_wait_s=math.inf if options.parent_wait is None else seconds_of(options.parent_wait, "--parent-wait"),
        on_done=options.on_done,
    )
    console = JsonConsole() if options.log_format == "json" else ShownConsole()
    finish = run_study(request, console)
    if isinstance(console, JsonConsole) and finish.why in ("interrupted", "error"):
        console.tell("end", why=finish.why, error=finish.error)
    if finish.why == "interrupted":
        console.print("interrupted; the running trials were released, the same command continues")
    if finish.why == "error":
        print_error(finish.error)
    return finish.exit_code


def _timeout_s(options: argparse.Namespace) -> float | None:
    return None if options.timeout is None else seconds_of(options.timeout)


def _check(options: argparse.Namespace) -> None:
    workers = _workers(options)
    if workers < 1:
        raise DefinitionError(f"--workers is {workers}; it must be at least 1")
    most = WORKERS_PER_CORE * (os.cpu_count() or 1)
    if workers > most:
        raise DefinitionError(f"--workers is {workers}; it must be at most {most} on this machine's cores")
    if options.batch == AUTO and any(each.partition("=")[0].strip() == "recipe.batch" for each in options.override):
        raise DefinitionError("--batch is auto, but recipe.batch is set too; leave one of them out")
    if options.threads < 1:
        raise DefinitionError(f"--threads is {options.threads}; it must be at least 1")
    if options.polish is not None and options.polish < 1:
        raise DefinitionError(f"--polish is {options.polish}; it must be at least 1 epoch")
    if options.budget_gpu_hours is not None and not 0 < options.budget_gpu_hours < math.inf:
        raise DefinitionError(f"--budget-gpu-hours is {options.budget_gpu_hours}; it must be a positive number")
    if options.repeat is not None and options.repeat < 0:
        raise DefinitionError(f"--repeat is {options.repeat}; it must be 0 or a number of trials")
    if options.new and options.resume:
        raise DefinitionError("--new and --resume exclude each other")


def _workers(options: argparse.Namespace) -> int:
    return len(devices_of(options.device)) if options.workers is None else int(options.workers)


def _definition(options: argparse.Namespace) -> StudyDefinition:
    if options.retarget is not None:
        return _retargeted(options)
    return load_study(
        options.study,
        options.override,
        name=options.name,
        data=options.data,
        model=options.model,
        imgsz=options.imgsz,
        skip_bad=options.skip_bad,
        classes=options.classes,
        single_cls=options.single_cls,
        fraction=options.fraction,
        epochs=options.epochs,
        batch=None if options.batch == AUTO else options.batch,
        seed=options.seed,
        n_trials=options.n_trials,
        budget=options.budget,
        hung_after=options.hung_after,
    )


def _retargeted(options: argparse.Namespace) -> StudyDefinition:
    """Return the definition of the study with the networks of a stored one and another target."""
    for name in OF_THE_STORED_STUDY:
        if getattr(options, name) is not None and getattr(options, name) is not False:
            option = "--" + name.replace("_", "-")
            raise DefinitionError(f"{option} does not go with --retarget, which takes the study as it is")
    with existing_store(url_of(options)) as store:
        study = find_study(store, options.study)
    return retargeted(
        study.sampler_name,
        study.definition,
        options.retarget,
        options.override,
        n_trials=options.n_trials,
        budget=options.budget,
        hung_after=options.hung_after,
    )


def _fields_to_set() -> tuple[str, ...]:
    return (SCALE, *StudyDefinition.model_fields, *(f"recipe.{each.name}" for each in fields(Recipe)))


def _parser() -> CommandParser:
    parser = CommandParser("search.run", fields=_fields_to_set, reasons=OF_TRAINING, description=__doc__)
    add_study_options(parser)
    add = parser.add_argument
    add("--data", metavar="YAML", help="data set in Ultralytics format (default: the study's own)")
    add("--model", metavar="FILE", help="model YAML, or trained weights: .pt, .safetensors, a checkpoint folder")
    add("--imgsz", type=int, metavar="PX", help="image size of the study (default: the data's, the weights', or 640)")
    add("--skip-bad", action="store_true", help="leave out a few images that cannot be used (at most 5 %%)")
    add("--classes", type=numbers, metavar="[0,2]", help="count the labels of these classes only")
    add("--single-cls", action="store_true", help="take all labels as labels of one class")
    add("--fraction", type=float, metavar="0.1", help="train on this share of train's images: the first ones")
    add("--epochs", type=int, help="epochs of each trial")
    add("--batch", type=batch_size, metavar="N", help="images per batch; auto: measured once, when the study begins")
    add("--device", default="cpu", help="where training runs: cpu, 0, or 0,1 for a worker each (default: cpu)")
    add("--seed", type=int, help="seed of training; each worker derives its sampling seed from it")
    add("--n-trials", type=int, metavar="N", help="the study's total of finished, stopped and ruled-out trials")
    add("--budget", metavar="300epochs", help="training (or time: 2h) of the whole study, instead of --n-trials")
    add("--budget-gpu-hours", type=float, metavar="60", help="begin no trial after this GPU time of all runs together")
    add("--retarget", metavar="TARGET", help="take a stored study's networks to another target, without training")
    add("--timeout", metavar="8h", help="end the run after this time; running trials are released within a minute")
    add("--database-wait", default="15m", metavar="15m", help="wait so long for a database that is away (%(default)s)")
    add("--parent-wait", metavar="30m", help="end with exit code 75 if others train the parent for longer than this")
    add(
        "--keep-every",
        default="0s",
        metavar="10m",
        help="write the state of a training at most so often, to go on from if it is killed (default: each epoch)",
    )
    add(
        "--hung-after",
        metavar="20m",
        help="end a worker without progress (default: 10 x its slowest step, at least 10m)",
    )
    add("--workers", type=int, metavar="N", help="processes on this machine (default: one for each device)")
    add("--threads", type=int, default=1, metavar="N", help="torch threads of each worker (default: %(default)s)")
    add("--name", help="store the study under this name")
    add("-o", "--override", action="append", default=[], metavar="KEY=VALUE", help="set a field: -o recipe.lr0=0.01")
    add("--log-format", choices=("text", "json"), default="text", help="json: one JSON object a line")
    add("--new", action="store_true", help="begin the study again; the old one stays in the database")
    add("--resume", action="store_true", help="continue; an error if the study is not in the database")
    add("--no-confirm", action="store_true", help="do not time the front's members again, side by side, at the end")
    add(
        "--repeat",
        type=int,
        metavar="N",
        help="when the study is done, train N trials once more to tell the noise (default: 1 with --budget, else 0)",
    )
    add(
        "--on-done",
        default="",
        metavar="COMMAND",
        help="when the study has ended, run this in a shell, once for all jobs; $YOLOFRONT_FOLDER holds the report",
    )
    add("--polish", type=int, metavar="EPOCHS", help="when the study is done, train the front's trials for EPOCHS more")
    add("--strict", action="store_true", help="end before anything is trained if the data set is doubtful")
    add("--dry-run", action="store_true", help="check everything, try one candidate, estimate the time of the study")
    add("--print-config", action="store_true", help="print the definition with all values")
    return parser


if __name__ == "__main__":
    sys.exit(run_command(main))
