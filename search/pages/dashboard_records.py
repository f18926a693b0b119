"""Our records of the studies that the dashboard shows: each is read once, and every look asks only for newer ones."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from search.findings.study_results import StudyResults, read_study_results, study_results
from search.pages.example_pictures import ExamplePictures, read_pictures
from search.record.folders import RunFolder
from search.record.trial import TrialRecord
from search.store.base import Store, StudyEntry

POLL_S = 2.0
"""Seconds after which the database is asked for newer records; several pages may ask at once."""


class OptunaStorage(Protocol):
    """The methods of Optuna's storage that are used here."""

    def get_study_name_from_id(self, study_id: int) -> str:
        """Return the study's name."""

    def get_all_studies(self) -> list[Any]:
        """Return all studies, each with its attributes; equal ones compare equal."""

    def get_all_trials(self, study_id: int, deepcopy: bool = True) -> list[Any]:
        """Return all trials in the order of their numbers."""

    def get_trial(self, trial_id: int) -> Any:
        """Return one trial."""


@dataclass
class _Known:
    """Results of a study as they were last read. `results` is None for a study that is not ours."""

    looked: float
    results: StudyResults | None = None
    records: tuple[TrialRecord, ...] = ()


@dataclass
class DashboardRecords:
    """Our results of the studies in Optuna's tables. Several threads may ask.

    Attributes:
        runs: Run folder, where pictures with boxes lie beside the reports.
    """

    store: Store
    storage: OptunaStorage
    runs: RunFolder | None = None
    clock: Callable[[], float] = time.monotonic
    _found: dict[str, _Known] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def results(self, study_id: int) -> StudyResults | None:
        """Return our results of the study with that Optuna id, without confidence curves; None if it is not ours.

        The same object is returned while nothing is new.
        """
        name = self.storage.get_study_name_from_id(study_id)
        with self._lock:
            known = self._found.get(name)
            if known is None or self.clock() >= known.looked + POLL_S:
                known = self._look(name, known)
                known.looked = self.clock()
                self._found[name] = known
            return known.results

    def with_curves(self, study_id: int) -> StudyResults | None:
        """Return our results with the confidence curves, read anew; None for a study that is not ours."""
        found = self.results(study_id)
        return None if found is None else read_study_results(self.store, found.study)

    def pictures(self, found: StudyResults) -> ExamplePictures | None:
        """Return the pictures with boxes that lie beside the study's report; None if there are none."""
        return None if self.runs is None else read_pictures(self.runs.study(found.study.sampler_name), found.records)

    def drawn(self, found: StudyResults, names: list[str]) -> dict[str, TrialRecord]:
        """Return the records with these names as they are stored, with their confidence curves."""
        return {record.name: record for record in self.store.records(found.study, curves=True, names=names)}

    def _look(self, name: str, known: _Known | None) -> _Known:
        """Return what is known of a study now; the results are the same object if nothing is new."""
        before = None if known is None else known.results
        study = self._entry(name) if before is None else before.study
        if study is None:
            return _Known(0.0)
        records = () if known is None else known.records
        fresh = self.store.records(study, after=len(records))
        newest = next(reversed(self.store.confirmations(study)), None)
        if known is not None and before is not None and not fresh and newest == before.confirmation:
            return known
        records += fresh
        # The facts that are frozen with a study may have grown too.
        return _Known(0.0, study_results(self.store, self._entry(name) or study, records, newest), records)

    def _entry(self, name: str) -> StudyEntry | None:
        return next((entry for entry in self.store.studies() if entry.sampler_name == name), None)
