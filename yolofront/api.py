"""Studies from Python: `yolofront.run` runs one, `yolofront.open` opens one that is stored."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.cli.stored_study import existing_store, find_study
from search.findings.columns import columns_of
from search.findings.formats import splits_of
from search.findings.leaderboard import Row
from search.findings.selection import at_knee, best_under, by_name
from search.findings.study_results import StudyResults, read_study_results
from search.finish.run_request import RunRequest
from search.record.folders import RunFolder, file_stem, storage_url
from search.record.trial import TrialRecord
from search.store.base import StoreError, StudyEntry
from search.study.definition import load_study
from spaces.command_line import Verbosity
from spaces.shown import shown

if TYPE_CHECKING:
    import polars

OF_A_RUN = ("done", "timeout", "exhausted")
"""Ends of a run that leave a result."""


class RunError(RuntimeError):
    """Run that ended before the study did. The message says why; the same call continues it."""


@dataclass(frozen=True)
class Result:
    """The results of one stored study, as they were when it was opened.

    Attributes:
        study: Name and definition of the study, as stored.
        project: Run folder, which holds the weights.
        storage: URL of the database.
        found: All that reports show.
    """

    study: StudyEntry
    project: Path
    storage: str = field(repr=False)
    found: StudyResults = field(repr=False)

    @property
    def records(self) -> tuple[TrialRecord, ...]:
        """All trials and hand-made networks, in the order in which they were stored."""
        return self.found.records

    @property
    def front(self) -> tuple[TrialRecord, ...]:
        """The members of the Pareto front, the fastest first."""
        members = [record for record in self.records if record.name in self.found.front]
        return tuple(sorted(members, key=lambda record: record.value("latency_ms") or 0.0))

    @property
    def rows(self) -> tuple[Row, ...]:
        """The leaderboard: records with their differences to the parent, their roles and notes."""
        return self.found.rows()

    def best(self, *, under_ms: float | None = None) -> TrialRecord:
        """Return the most accurate network with a latency of at most `under_ms`, or that at the knee of the front.

        Args:
            under_ms: Upper limit of the latency in ms, on the study's target.

        Raises:
            DefinitionError: If there is none.
        """
        if under_ms is not None:
            return best_under(self.records, under_ms)
        return at_knee(self.records, self.study.objectives)

    def to_dataframe(self) -> polars.DataFrame:
        """Return the leaderboard as a data frame of polars, a line for each network; `.to_pandas()` converts it.

        Accuracies have the name of their split before them (`val.map50_95`), parameters of the search `params.`.
        Latencies are in ms, sizes in MiB, `seconds` is the time that the network took.
        """
        import polars

        return polars.DataFrame([self._line(row) for row in self.rows], infer_schema_length=None)

    def export(
        self,
        which: TrialRecord | str | None = None,
        *,
        under_ms: float | None = None,
        format: str = "onnx",
        out: str | Path | None = None,
        data: str | Path | None = None,
        say: Callable[[str], None] | None = None,
    ) -> Path:
        """Export a network as `yolofront export` does; return the folder that its files were written to.

        Args:
            which: A record, or its name (`trial 7`, `parent`); by default `best(under_ms=under_ms)`.
            format: `pt`, or one of Ultralytics' export formats.
            out: Folder to write to; by default one in the study's folder.
            data: Path of the data set, if it has moved since the study began.
            say: Receives a line for each step that is done.

        Raises:
            CandidateError: If the network does not export, or an exported file disagrees with it.
            DefinitionError: If there is no such network, or the format is unknown or its package is missing.
        """
        from search.finish.network_export import ExportRequest, export_network  # imports torch

        record = self._record(which, under_ms)
        runs = RunFolder(self.project)
        folder = Path(out) if out else runs.study(self.study.sampler_name) / "export" / file_stem(record.name)
        place = None if data is None else str(data)
        with existing_store(self.storage) as store:
            for line in export_network(ExportRequest(self.study, record, folder, format, place), store, runs):
                if say is not None:
                    say(line)
        return folder

    def report(self, folder: str | Path | None = None) -> Path:
        """Write the report; return the path of its HTML page.

        Args:
            folder: Folder to write to; by default the study's.
        """
        from search.pages.study_report import write_report  # imports matplotlib

        place = Path(folder) if folder else RunFolder(self.project).study(self.study.sampler_name)
        with existing_store(self.storage) as store:
            return write_report(store, self.study, place)[0]

    def _record(self, which: TrialRecord | str | None, under_ms: float | None) -> TrialRecord:
        if which is None:
            return self.best(under_ms=under_ms)
        return by_name(self.records, which if isinstance(which, str) else which.name, "which")

    def _line(self, row: Row) -> dict[str, Any]:
        record = row.record
        latency = record.measurement("latency_ms")
        line: dict[str, Any] = {"name": record.name, "number": record.number, "outcome": record.outcome.value}
        line |= {"on_front": row.on_front, "roles": ", ".join(row.roles)}
        for column in columns_of(self.records):
            quantity = column.key
            if quantity in _ACCURACIES:
                line |= {f"{split}.{quantity}": record.value(quantity, split) for split in splits_of(self.records)}
            else:
                line[quantity] = record.value(quantity)
        line |= {"latency_low_ms": latency and latency.low, "latency_high_ms": latency and latency.high}
        line |= {"gain": row.gain, "speed_up": row.speed_up, "seconds": sum(record.seconds.values())}
        line |= {"reason": record.reason, "note": row.note}
        names = dict.fromkeys(name for each in self.records for name in each.params)
        return line | {f"params.{name}": _text(record.params.get(name)) for name in names}

    def _repr_html_(self) -> str:
        """Return the front as a picture and a table, which a notebook shows."""
        from search.pictures.pareto import pareto_bytes  # imports matplotlib

        picture = base64.b64encode(pareto_bytes(self.records, self.found.fronts, objectives=self.study.objectives))
        columns = [column for column in columns_of(self.records) if column.key in ("map50_95", "latency_ms")]
        heads = "".join(f"<th>{escape(title)}</th>" for title in ("", *(column.title for column in columns), "note"))
        lines = "".join(
            f"<tr><th>{escape(shown(row.record.name))}</th>"
            + "".join(f"<td>{escape(row.text(column))}</td>" for column in columns)
            + f"<td>{escape(shown(row.note))}</td></tr>"
            for row in self.rows
            if row.on_front
        )
        return (
            f"<p><b>{escape(shown(self.study.sampler_name))}</b> {escape(shown(self.found.summary))}</p>"
            f'<img alt="Pareto front" style="max-width:720px" src="data:image/png;base64,{picture.decode()}">'
            f"<table><tr>{heads}</tr>{lines}</table>"
        )


_ACCURACIES = ("map50_95", "map50", "map75", "precision", "recall", "f1")


def _text(value: object) -> object:
    """Return a parameter as polars takes it: one type in each column."""
    return value if value is None or (isinstance(value, int | float) and not isinstance(value, bool)) else str(value)


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
    runs = RunFolder(Path(project))
    url = storage_url(storage, runs)
    with existing_store(url) as store:
        study = find_study(store, name)
        return Result(study, Path(project), url, read_study_results(store, study))


def run(
    study: str | Path = "nas_head",
    *,
    data: str | Path | None = None,
    model: str | Path | None = None,
    name: str | None = None,
    imgsz: int | None = None,
    epochs: int | None = None,
    batch: int | None = None,
    seed: int | None = None,
    n_trials: int | None = None,
    budget: str | None = None,
    overrides: Sequence[str] = (),
    device: str = "cpu",
    workers: int = 1,
    threads: int = 1,
    timeout_s: float | None = None,
    new: bool = False,
    project: str | Path = "runs",
    storage: str | None = None,
    quiet: bool = False,
    callbacks: Sequence[Callable[[TrialRecord], None]] = (),
) -> Result:
    """Run a study, or continue it, as `yolofront run` does, and return its results.

    The workers are processes of their own, which import the calling script: there, call this below
    `if __name__ == "__main__":`. A notebook needs no such line.

    Args:
        study: Name of a study, or the path of its YAML.
        data: Data set in Ultralytics' format; the study's own by default.
        model: Model YAML, or trained weights (`.pt`, `.safetensors`, a checkpoint folder).
        name: Name to store the study under.
        imgsz: Image size in px.
        epochs: Epochs of each trial.
        batch: Images in a training batch.
        n_trials: Total number of trials that end, those of earlier runs counted.
        budget: Training (`300epochs`) or time (`2h`) of the whole study, in place of `n_trials`.
        overrides: Fields of the study, as after `-o`: `recipe.lr0=0.01`.
        device: Device of the training: `cpu`, or a GPU as `0`.
        timeout_s: Seconds after which the run ends; running trials are released.
        new: Begin the study again; the stored one stays in the database.
        quiet: Print nothing of the progress.
        callbacks: Functions that are called in this process with the record of each trial or row when it is stored.
            If one raises an error, a line tells of it, and the run goes on.

    Raises:
        DefinitionError: If an argument or the study is wrong; nothing ran.
        DefinitionMismatch: If the study is stored with another definition.
        DataError: If the data set is wrong.
        StoreError: If the database is not available.
        RunError: If the workers end before the study does.
    """
    from search.finish.study_run import run_study  # imports what workers need

    runs = RunFolder(Path(project))
    url = storage_url(storage, runs)
    definition = load_study(
        study,
        overrides,
        name=name,
        data=data,
        model=model,
        imgsz=imgsz,
        epochs=epochs,
        batch=batch,
        seed=seed,
        n_trials=n_trials,
        budget=budget,
    )
    request = RunRequest(
        definition,
        runs,
        url,
        new=new,
        device=device,
        workers=workers,
        threads=threads,
        timeout_s=timeout_s,
        verbosity=Verbosity.QUIET if quiet else Verbosity.NORMAL,
        on_record=tuple(callbacks),
    )
    finish = run_study(request)
    if finish.why not in OF_A_RUN:
        raise RunError(finish.error or f"the run ended: {finish.why}; the same call continues it")
    try:
        return open_study(definition.name, project=project, storage=storage)
    except StoreError as error:
        raise RunError(str(error)) from error
