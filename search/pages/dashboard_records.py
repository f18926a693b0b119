"""Add our records to the dashboard's answers: constraints, best trials, notes, pictures, the report.

optuna-dashboard reads only the old list form of constraints, so it would show an infeasible trial as best. Notes and
pictures in Optuna's tables would be read by every sampler at every step. So nothing of this is stored: it is made from
the records, at most a few seconds old. A note that a user saved in the dashboard is shown instead of ours.
"""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import parse_qs

from objectives.base import Direction
from search.findings.leaderboard import Row, parent_of
from search.findings.study_results import StudyResults, read_study_results
from search.pages.dashboard_guard import Answer, App, Environ, StartResponse, ask, refuse
from search.pages.notes import study_note, trial_note
from search.pages.report import html_report
from search.pictures.curves import channel_picture, curves_picture
from search.pictures.pareto import pareto_bytes
from search.record.front import non_dominated
from search.record.trial import TrialRecord
from search.store.base import Store

DETAIL = re.compile(r"/api/studies/(\d+)/?")
PICTURE = re.compile(r"/artifacts/(\d+)/(\d+)/([0-9a-f-]{36})/?")
FILE = re.compile(r"/artifacts/(\d+)/(?:(\d+)/)?")
REPORT = re.compile(r"/report/(\d+)/?")
PICTURES: Mapping[str, Callable[[TrialRecord, TrialRecord | None], bytes | None]] = {
    "channels": lambda record, parent: channel_picture(record),
    "curves": curves_picture,
}
MIN_CACHE_S = 2.0
CACHE_FACTOR = 20
"""Multiple of the reading time for which records are cached, so that a large study is not read all the time."""


class OptunaStorage(Protocol):
    """The methods of Optuna's storage that are used here."""

    def get_study_name_from_id(self, study_id: int) -> str:
        """Return the study's name."""

    def get_all_trials(self, study_id: int, deepcopy: bool = True) -> list[Any]:
        """Return all trials, each with a `number` and `constraints`."""

    def get_trial(self, trial_id: int) -> Any:
        """Return one trial."""


@dataclass
class DashboardRecords:
    """Our records of the studies that the dashboard shows, with a cache."""

    store: Store
    storage: OptunaStorage
    clock: Callable[[], float] = time.monotonic
    _found: dict[str, tuple[float, StudyResults | None]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def results(self, study_id: int) -> StudyResults | None:
        """Return our results of the study with that Optuna id; None for a study that is not ours."""
        name = self.storage.get_study_name_from_id(study_id)
        with self._lock:
            until, found = self._found.get(name, (-1.0, None))
            began = self.clock()
            if began < until:
                return found
            study = next((entry for entry in self.store.studies() if entry.sampler_name == name), None)
            found = None if study is None else read_study_results(self.store, study, curves=True)
            took = self.clock() - began
            self._found[name] = (self.clock() + max(MIN_CACHE_S, CACHE_FACTOR * took), found)
            return found

    def record(self, study_id: int, trial_id: int) -> TrialRecord | None:
        """Return our record of one of Optuna's trials; None if it is not finished."""
        found = self.results(study_id)
        number = self.storage.get_trial(trial_id).number
        return None if found is None else next((r for r in found.records if r.number == number), None)


def with_records(app: App, records: DashboardRecords) -> App:
    """Return the dashboard with our records in its answers, and the report under `/report/<study id>`."""
    picture = lru_cache(maxsize=64)(_picture)
    drawing = threading.Lock()  # matplotlib does not support several threads

    def answer(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if environ["REQUEST_METHOD"] == "GET" and (match := DETAIL.fullmatch(path)):
            return _detail(app, records, int(match[1]), environ).send(start_response)
        if (match := FILE.match(path)) and not _exists(records, int(match[1]), match[2]):
            return refuse("404 Not Found", "there is no such study or trial").send(start_response)
        if match := PICTURE.fullmatch(path):
            with drawing:
                image = _picture_with_id(picture, records, int(match[1]), int(match[2]), match[3])
            if image is not None:
                return Answer("200 OK", [("Content-Type", "image/png")], image).send(start_response)
        if match := REPORT.fullmatch(path):
            with drawing:
                return _report(records, int(match[1])).send(start_response)
        return app(environ, start_response)

    return answer


def _exists(records: DashboardRecords, study_id: int, trial_id: str | None) -> bool:
    try:
        records.storage.get_study_name_from_id(study_id)
        if trial_id is not None:
            records.storage.get_trial(int(trial_id))
    except KeyError:
        return False
    return True


def _detail(app: App, records: DashboardRecords, study_id: int, environ: Environ) -> Answer:
    """Return the dashboard's own answer about a study, corrected and with notes."""
    try:
        after = max(0, int(parse_qs(environ.get("QUERY_STRING", "")).get("after", ["0"])[0]))
    except ValueError:
        return ask(app, environ)  # the dashboard refuses it itself
    whole = ask(app, {**environ, "QUERY_STRING": ""})  # the best trials are chosen from all, not only from the new ones
    if not whole.status.startswith("200"):
        return whole
    detail = json.loads(whole.body)
    excess = {t.number: list(t.constraints.values()) for t in records.storage.get_all_trials(study_id, deepcopy=False)}
    for trial in detail["trials"]:
        trial["constraints"] = excess.get(trial["number"], [])
    found = records.results(study_id)
    if found is not None:
        _add_notes(detail, found, study_id)
    if not detail.get("is_preferential"):
        detail["best_trials"] = _best(detail["trials"], detail["directions"])
    detail["trials"] = detail["trials"][after:]
    return Answer(whole.status, whole.headers, json.dumps(detail).encode())


def _best(trials: list[dict[str, Any]], directions: list[str]) -> list[dict[str, Any]]:
    """Return the non-dominated trials among those that are complete and within all limits."""
    rivals = [trial for trial in trials if trial["state"] == "Complete" and all(c <= 0 for c in trial["constraints"])]
    rivals = [trial for trial in rivals if all(isinstance(value, int | float) for value in trial["values"])]
    kept = non_dominated([trial["values"] for trial in rivals], [Direction(direction) for direction in directions])
    return [rivals[position] for position in kept]


def _add_notes(detail: dict[str, Any], found: StudyResults, study_id: int) -> None:
    rows = found.rows()
    by_number = {row.record.number: row for row in rows if row.record.number is not None}
    parent = parent_of(found.records)
    parent_row = next((row for row in rows if row.record is parent), None)
    if not detail["note"]["body"]:
        detail["note"] = {**detail["note"], "body": study_note(rows, f"/report/{study_id}")}
    for trial in detail["trials"]:
        row = by_number.get(trial["number"])
        if row is None:
            continue  # not finished, or not stored yet
        artifacts = _artifacts(found, row)
        trial["artifacts"] = artifacts + trial["artifacts"]
        if not trial["note"]["body"]:
            pictures = {a["filename"].removesuffix(".png"): _address(study_id, trial, a) for a in artifacts}
            trial["note"] = {**trial["note"], "body": trial_note(row, parent_row, pictures)}


def _address(study_id: int, trial: Mapping[str, Any], artifact: Mapping[str, str]) -> str:
    return f"/artifacts/{study_id}/{trial['trial_id']}/{artifact['artifact_id']}"


def _artifacts(found: StudyResults, row: Row) -> list[dict[str, str]]:
    """Return the pictures of a record as entries of the dashboard's list of files."""
    record = row.record
    kinds = (["channels"] if record.spec is not None else []) + (["curves"] if record.rungs else [])
    name = found.study.sampler_name
    return [
        {
            "artifact_id": _picture_id(name, record, kind),
            "filename": f"{kind}.png",
            "mimetype": "image/png",
            "encoding": "",
        }
        for kind in kinds
    ]


def _picture_id(study: str, record: TrialRecord, kind: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"yolofront:{study}/{record.name}/{kind}"))


def _picture_with_id(
    picture: Callable[..., bytes | None], records: DashboardRecords, study_id: int, trial_id: int, artifact_id: str
) -> bytes | None:
    """Return the picture with that id; None if it is an uploaded file."""
    try:
        found, record = records.results(study_id), records.record(study_id, trial_id)
    except KeyError:  # no such study or trial in Optuna's storage
        return None
    if found is None or record is None:
        return None
    parent = parent_of(found.records)
    for kind in PICTURES:
        if artifact_id == _picture_id(found.study.sampler_name, record, kind):
            return picture(kind, _Picture(record, parent))
    return None


@dataclass(frozen=True, eq=False)
class _Picture:
    """A record to draw. Equal for the same stored record, which never changes, so that pictures can be cached."""

    record: TrialRecord
    parent: TrialRecord | None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Picture) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[str, str, object]:
        return self.record.identity, self.record.name, self.record.finished


def _picture(kind: str, wanted: _Picture) -> bytes | None:
    return PICTURES[kind](wanted.record, wanted.parent)


def _report(records: DashboardRecords, study_id: int) -> Answer:
    try:
        found = records.results(study_id)
    except KeyError:
        found = None
    if found is None:
        return refuse("404 Not Found", f"study {study_id} is not stored")
    picture = pareto_bytes(found.records, found.fronts, objectives=found.study.objectives, limits=found.limits)
    page = html_report(found, picture)
    return Answer("200 OK", [("Content-Type", "text/html; charset=utf-8")], page.encode())
