"""Run a study from its first trial to its report: workers, repeating, polishing, confirmation, table and files."""

from __future__ import annotations

import time
from dataclasses import dataclass

from rich.console import Console

from objectives.device.device_names import devices_of
from search.cli.command import error_line, place_options
from search.findings.training_noise import trials_to_repeat
from search.finish.batch_size import with_measured_batch
from search.finish.end_note import EndNote, call_on_done
from search.finish.final_steps import FinalStep, FinalStepKind, run_final_step
from search.finish.finalists import is_confirmed
from search.finish.report_pictures import are_up_to_date
from search.finish.run_request import RunRequest
from search.finish.study_workers import run_workers
from search.prepare.early_checks import check_early
from search.prepare.study_entry import select_generation
from search.record.events import as_lines
from search.store.base import Store, StoreError, StudyEntry
from search.store.outage.patience import Patience
from search.store.sql import open_store
from search.work.job import LEFT
from search.work.json_log import JsonConsole
from search.work.lone_process import LoneProcess
from search.work.progress import progress_lines
from search.work.supervisor import RunEnd
from spaces.display.terminal import ShownConsole

ENDINGS = {
    "done": "the study is done",
    "timeout": "the time is up; the same command continues",
    "exhausted": "the space is exhausted: 50 proposals in a row were duplicates",
}
LEFT_LINE = "other jobs work on the last trials and rows; the last of them confirms the front and writes the report"


def run_study(request: RunRequest, console: Console | None = None) -> RunEnd:
    """Run the study, or continue it; returns how its workers ended.

    Args:
        console: Receives progress, table and paths; standard output by default.

    Raises:
        DataError: If the data set's YAML or a folder that it names does not exist or is wrong.
        DefinitionError: If the weights or the device do not exist, or there is nothing to resume.
        DefinitionMismatch: If the study is stored with another definition.
        StoreError: If the database is not available.
    """
    console = console or ShownConsole()
    deadline = None if request.timeout_s is None else time.monotonic() + request.timeout_s
    definition = request.definition
    check_early(definition, request.device)
    patience = Patience(request.database_wait_s, as_lines(progress_lines(console, request.verbosity)))
    store = open_store(request.storage, patience, keeps=False)  # while its workers run it only gives a sign of life
    try:
        if request.measures_batch:
            show_line = progress_lines(console, request.verbosity)
            request = with_measured_batch(store, request, show_line, deadline)
            definition = request.definition
        generation = select_generation(store, definition, new=request.new, resume=request.resume)
        finish = run_workers(store, request, generation, console, deadline)
        if finish.why == LEFT:
            _say_end(console, LEFT, LEFT_LINE)
        elif finish.why in ENDINGS:
            with store.exclusive_if_free(f"end of {definition.name}") as is_alone:
                _end_study(store, finish, StepRunner(request, console, deadline), is_alone=is_alone)
        return finish
    finally:
        store.close()


def _end_study(store: Store, finish: RunEnd, apart: StepRunner, *, is_alone: bool) -> None:
    """End the study, if this run is the one that does, and tell of it if nobody has."""
    if finish.why == "timeout":
        finish_study(store, finish, apart)
        return
    if not is_alone:
        another = "another command confirms the front and writes the report"
        _say_end(apart.console, finish.why, f"{ENDINGS[finish.why]}; {another}")
        return
    request, study = apart.request, _stored_study(store, apart.request)
    note = EndNote(store, study, _steps_text(request))
    was_told = note.is_written
    if was_told and request.leaves:
        _say_end(apart.console, finish.why, f"{ENDINGS[finish.why]}; another job has written the report")
        return
    finish_study(store, finish, apart)
    if request.on_done and not was_told:
        folder = request.runs.study(study.sampler_name).absolute()
        facts = {"YOLOFRONT_STUDY": study.sampler_name, "YOLOFRONT_FOLDER": str(folder), "YOLOFRONT_END": finish.why}
        call_on_done(request.on_done, facts, progress_lines(apart.console))
    elif request.on_done:
        progress_lines(apart.console)("the study had ended before with these trials; --on-done is not called again")
    note.write(finish.why)


def _steps_text(request: RunRequest) -> str:
    """Return the steps that a run may or may not ask for: `, 1 repeated, polished for 20 epochs`."""
    repeated = f", {request.repeats_in_all} repeated" if request.repeats_in_all else ""
    return repeated + (f", polished for {request.polish_epochs} epochs" if request.polish_epochs else "")


def _say_end(console: Console, why: str, line: str) -> None:
    if isinstance(console, JsonConsole):
        console.tell("end", why=why, files=[])
    else:
        console.print(line)


def _stored_study(store: Store, request: RunRequest) -> StudyEntry:
    study = store.latest_study(request.definition.name)
    if study is None:
        raise StoreError(f"study '{request.definition.name}' is no longer in the database")
    return study


def finish_study(store: Store, finish: RunEnd, apart: StepRunner) -> None:
    """Repeat, polish and confirm as was asked for; print the table and write the report, with what it shows of val."""
    from search.findings.plain_results import plain_results
    from search.findings.study_results import read_study_results
    from search.pages.study_report import print_study_results, write_report  # matplotlib: not for usage errors

    request, console = apart.request, apart.console
    study = _stored_study(store, request)
    if finish.why != "timeout" and request.repeats_in_all:
        repeat_at_end(store, study, apart)
    if finish.why != "timeout" and request.polish_epochs is not None:
        polish_at_end(study, apart)
    if finish.why != "timeout" and request.confirm:
        confirm_at_end(store, study, apart)
    if finish.why != "timeout":
        draw_at_end(store, study, apart)
    if not isinstance(console, JsonConsole):
        print_study_results(store, study, more_seconds=finish.seconds)
    paths = write_report(store, study, request.runs.study(study.sampler_name))
    if isinstance(console, JsonConsole):
        found = read_study_results(store, study, curves=False)
        console.tell("end", why=finish.why, files=list(map(str, paths)), **plain_results(found))
        return
    console.print(ENDINGS[finish.why])
    for line in read_study_results(store, study, curves=False).remarks:
        console.print(line, highlight=False, markup=False)
    for path in paths:
        console.print(str(path), highlight=False)
    place = f"--study {study.sampler_name}{place_options(request.runs, request.storage)}"
    console.print(f"dashboard: yolofront dashboard {place}", highlight=False)
    console.print(f"export: yolofront export {place} --knee --format onnx", highlight=False)


def repeat_at_end(store: Store, study: StudyEntry, apart: StepRunner) -> None:
    """Train the most accurate of the short trials once more, unless that was done, to tell the noise of training."""
    count = apart.request.repeats_in_all
    if trials_to_repeat(store.records(study), count):
        apart.run("repeat", study, count, "the noise of training is not known", "the same command tries again")


def polish_at_end(study: StudyEntry, apart: StepRunner) -> None:
    """Train the networks of the front's trials further."""
    request = apart.request
    place = f"--study {study.sampler_name}{place_options(request.runs, request.storage)}"
    again = f"yolofront polish {place} --epochs {request.polish_epochs}"
    apart.run("polish", study, request.polish_epochs or 0, "the front is not polished", f"try again: {again}")


def confirm_at_end(store: Store, study: StudyEntry, apart: StepRunner) -> None:
    """Time the front's members again, side by side, unless they are confirmed."""
    if not is_confirmed(store, study):
        place = f"--study {study.sampler_name}{place_options(apart.request.runs, apart.request.storage)}"
        again = f"try again: yolofront confirm {place}"
        apart.run("confirm", study, 0, "the finalists are not confirmed", again)


def draw_at_end(store: Store, study: StudyEntry, apart: StepRunner) -> None:
    """Find what the parent and a candidate see on val, which the report shows, unless it is known."""
    if not are_up_to_date(store, study, apart.request.runs):
        place = f"--study {study.sampler_name}{place_options(apart.request.runs, apart.request.storage)}"
        again = f"try again: yolofront report {place}"
        apart.run("pictures", study, 0, "the report has no pictures and confusion matrices", again)


@dataclass(frozen=True)
class StepRunner:
    """Runs the steps that follow the last trial.

    The study is complete without them. Any failure, even a fault of this project, is reported with how to
    try it again, so that table and report of hours of training are written anyway.
    """

    request: RunRequest
    console: Console
    deadline: float | None = None

    def run(self, kind: FinalStepKind, study: StudyEntry, amount: int, failed: str, again: str) -> None:
        """Run a step in a process of its own; show its lines, and why it failed."""
        request = self.request
        step = FinalStep(
            kind=kind,
            study=study.name,
            url=request.storage,
            root=request.runs.root,
            device=devices_of(request.device)[0],
            database_wait_s=request.database_wait_s,
            amount=amount,
        )
        show_line = progress_lines(self.console)
        show_progress = progress_lines(self.console, request.verbosity)
        try:
            lone = LoneProcess(self.deadline, request.definition.hung_after_s, show_progress)
            error = lone.run(run_final_step, step, kind)
        except Exception as fault:  # as above
            error = error_line(fault)
        if error:
            show_line(f"{failed}: {' '.join(error.split())}; {again}")
