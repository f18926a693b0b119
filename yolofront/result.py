"""The results of a stored study, for use from Python: its front, its records, and what can be made of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from search.cli.stored_study import existing_store
from search.findings.leaderboard import Row
from search.findings.selection import at_knee, best_under, by_name
from search.findings.study_results import StudyResults
from search.record.folders import RunFolder, file_stem
from search.record.trial import TrialRecord
from search.store.base import StudyEntry
from search.study.file_objectives import accuracy_aimed_at
from yolofront.frame_lines import frame_lines
from yolofront.notebook import notebook_html

if TYPE_CHECKING:
    import polars


@dataclass(frozen=True, repr=False)
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
    storage: str
    found: StudyResults

    def __repr__(self) -> str:
        """Return the study's name and its counts; the URL of the database may hold a password."""
        return f"<study {self.name!r} in {self.project}: {len(self.records)} networks, {len(self.front)} on the front>"

    @property
    def name(self) -> str:
        """Name of the study, for `yolofront.open` and for `--study` of the commands."""
        return self.study.sampler_name

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

    def __getitem__(self, name: str) -> TrialRecord:
        """Return the record with that name: `trial 7`, `parent`, a donor or a control.

        Raises:
            KeyError: If there is none.
        """
        for record in self.records:
            if record.name == name:
                return record
        raise KeyError(name)

    def best(self, *, under_ms: float | None = None) -> TrialRecord:
        """Return the most accurate network with a latency of at most `under_ms`, or that at the knee of the front.

        Args:
            under_ms: Upper limit of the latency in ms, on the study's target.

        Raises:
            DefinitionError: If there is none.
        """
        if under_ms is None:
            return at_knee(self.records, self.study.objectives)
        return best_under(self.records, under_ms, accuracy_aimed_at(name for name, _ in self.study.objectives))

    def to_dataframe(self) -> polars.DataFrame:
        """Return the leaderboard as a data frame of polars, a line for each network; `.to_pandas()` converts it.

        Accuracies have the name of their split before them (`val.map50_95`), parameters of the search `params.`.
        Latencies are in ms, sizes in MiB; `seconds` is the time that the network took.
        """
        import polars

        return polars.DataFrame(frame_lines(self.rows, self.records), infer_schema_length=None)

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
            under_ms: Upper limit of the latency in ms, if no record is named.
            format: `pt`, `yolov5`, or one of Ultralytics' export formats.
            out: Folder to write to; by default one in the study's folder.
            data: Path of the data set, if it has moved since the study began.
            say: Receives a line for each step that is done.

        Raises:
            CandidateError: If the network does not export, or an exported file disagrees with it.
            DefinitionError: If there is no such network, or the format is unknown or its package is missing.
        """
        from search.finish.network_export import ExportRequest, export_network  # imports torch

        record = self._meant(which, under_ms)
        runs = RunFolder(self.project)
        folder = Path(out) if out else runs.study(self.name) / "export" / file_stem(record.name)
        place = None if data is None else str(data)
        with existing_store(self.storage) as store:
            for line in export_network(ExportRequest(self.study, record, folder, format, place), store, runs):
                if say is not None:
                    say(line)
        return folder

    def report(self, folder: str | Path | None = None, *, say: Callable[[str], None] | None = None) -> Path:
        """Write the report; return the path of its HTML page.

        Args:
            folder: Folder to write to; by default the study's.
            say: Is called with lines of progress, among them why the report has no pictures.
        """
        from search.finish.report_pictures import pictures_of
        from search.pages.study_report import write_report  # imports matplotlib

        runs = RunFolder(self.project)
        place = Path(folder) if folder else runs.study(self.name)
        with existing_store(self.storage) as store:
            examples = pictures_of(store, self.study, runs, say or (lambda line: None))
            return write_report(store, self.study, place, examples=examples)[0]

    def _meant(self, which: TrialRecord | str | None, under_ms: float | None) -> TrialRecord:
        if which is None:
            return self.best(under_ms=under_ms)
        return by_name(self.records, which if isinstance(which, str) else which.name, "which")

    def _repr_html_(self) -> str:
        """Return the front as a picture and a table, which a notebook shows."""
        return notebook_html(self.found)
