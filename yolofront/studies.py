"""Studies from Python: `yolofront.run` runs one, `yolofront.open` opens one that is stored."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from search.cli.stored_study import existing_store, find_study
from search.cli.yolo_words import AUTO
from search.findings.study_results import read_study_results
from search.finish.run_request import RunRequest
from search.record.folders import RunFolder, storage_url
from search.record.trial import TrialRecord
from search.study.definition import load_study
from spaces.command_line import Verbosity
from spaces.display.terminal import ShownConsole
from yolofront.result import Result

WITH_RESULT = ("done", "timeout", "exhausted")
"""Ends of a run that leave a result."""


class RunError(RuntimeError):
    """Run that ended before the study did. The message says why; the same call continues it."""


def open_study(name: str, *, project: str | Path = "runs", storage: str | None = None) -> Result:
    """Open a stored study by its name, as the commands do with `--study`.

    Args:
        project: Run folder.
        storage: URL of the database; by default that of the environment variable SEARCH_STORAGE, else SQLite in the
            run folder.

    Raises:
        StorageUrlError: If there is no such database.
        DefinitionError: If the study is not stored; the message names the most similar one.
    """
    url = storage_url(storage, RunFolder(Path(project)))
    with existing_store(url) as store:
        study = find_study(store, name)
        return Result(study, Path(project), url, read_study_results(store, study))


def run(
    study: str | Path = "nas_head",
    *,
    data: str | Path | None = None,
    model: str | Path | None = None,
    budget: str | None = None,
    callbacks: Sequence[Callable[[TrialRecord], object]] = (),
    name: str | None = None,
    imgsz: int | None = None,
    epochs: int | None = None,
    batch: int | Literal["auto"] | None = None,
    seed: int | None = None,
    n_trials: int | None = None,
    overrides: Mapping[str, Any] | Sequence[str] = (),
    device: str = "cpu",
    workers: int = 1,
    threads: int = 1,
    timeout_s: float | None = None,
    confirm: bool = True,
    new: bool = False,
    project: str | Path = "runs",
    storage: str | None = None,
    quiet: bool = False,
) -> Result:
    """Run a study, or continue it, as `yolofront run` does, and return its results.

    The workers are processes of their own, which import the calling script: there, call this below
    `if __name__ == "__main__":`. A notebook needs no such line.

    Args:
        study: Name of a study, or the path of its YAML.
        data: Data set in Ultralytics' format; the study's own by default.
        model: Model YAML, or trained weights (`.pt`, `.safetensors`, a checkpoint folder).
        budget: Training (`300epochs`) or time (`2h`) of the whole study, in place of `n_trials`.
        callbacks: Functions that are called in this process with the record of each trial or row when it is stored.
            If one raises an error, a line tells of it, and the run goes on.
        name: Name to store the study under.
        imgsz: Image size in px.
        epochs: Epochs of each trial.
        batch: Images in a training batch; `auto` measures it once, when the study begins.
        n_trials: Total number of trials that end, those of earlier runs counted.
        overrides: Fields of the study by name, `{"recipe.lr0": 0.01}`, or as after `-o`, `["recipe.lr0=0.01"]`.
        device: Device of the training: `cpu`, or a GPU as `0`; of several, `0,1`, the workers take one each.
        threads: torch threads of each worker.
        timeout_s: Seconds after which the run ends; running trials are released.
        confirm: Whether the front is measured again, side by side, at the end.
        new: Begin the study again; the stored one stays in the database.
        project: Run folder.
        storage: See `open_study`.
        quiet: Print nothing.

    Raises:
        DefinitionError: If an argument or the study is wrong; nothing ran.
        DefinitionMismatch: If the study is stored with another definition.
        DataError: If the data set is wrong.
        StoreError: If the database is not available.
        RunError: If the workers end before the study does.
        KeyboardInterrupt: If the run was interrupted; running trials were released.
    """
    measures_batch = batch in ("auto", AUTO)
    definition = load_study(
        study,
        _as_options(overrides),
        name=name,
        data=data,
        model=model,
        imgsz=imgsz,
        epochs=epochs,
        batch=batch if isinstance(batch, int) and not measures_batch else None,
        seed=seed,
        n_trials=n_trials,
        budget=budget,
    )
    runs = RunFolder(Path(project))
    request = RunRequest(
        definition,
        runs,
        storage_url(storage, runs),
        new=new,
        device=device,
        workers=workers,
        threads=threads,
        timeout_s=timeout_s,
        confirm=confirm,
        measures_batch=measures_batch,
        verbosity=Verbosity.QUIET if quiet else Verbosity.NORMAL,
        on_record=tuple(callbacks),
    )
    _run(request)
    return open_study(definition.name, project=project, storage=storage)


def _run(request: RunRequest) -> None:
    from search.finish.study_run import run_study  # imports what workers need

    finish = run_study(request, ShownConsole(io.StringIO()) if request.verbosity is Verbosity.QUIET else None)
    if finish.why == "interrupted":
        raise KeyboardInterrupt("the running trials were released; the same call continues")
    if finish.why not in WITH_RESULT:
        raise RunError(finish.error or f"the run ended: {finish.why}; the same call continues it")


def _as_options(overrides: Mapping[str, Any] | Sequence[str]) -> Sequence[str]:
    """Return overrides as `key=value`; JSON is the YAML that all values can be written in."""
    if isinstance(overrides, Mapping):
        return [f"{key}={json.dumps(value)}" for key, value in overrides.items()]
    return overrides
