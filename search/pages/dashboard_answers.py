"""Add our records to the dashboard's answers: constraints, best trials, notes, pictures, the report.

optuna-dashboard reads only the old list form of constraints, so it would show an infeasible trial as best. Notes and
pictures in Optuna's tables would be read by every sampler at every step. So nothing of this is stored: it is made from
the records, at most a few seconds old. A note that a user saved in the dashboard is shown instead of ours.

A page asks for its study every two seconds. While nothing is new it gets the same answer, which is kept.
"""

from __future__ import annotations

import json
import math
import re
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs

from objectives.base import Direction
from search.findings.leaderboard import Row, parent_of
from search.findings.study_results import StudyResults
from search.pages.dashboard_guard import Answer, App, Environ, StartResponse, ask, refuse
from search.pages.dashboard_records import DashboardRecords
from search.pages.notes import study_note, trial_note
from search.record.front import non_dominated
from search.record.trial import TrialRecord

DETAIL = re.compile(r"/api/studies/(\d+)/?")
PICTURE = re.compile(r"/artifacts/(\d+)/(\d+)/([0-9a-f-]{36})/?")
FILE = re.compile(r"/artifacts/(\d+)/(?:(\d+)/)?")
REPORT = re.compile(r"/report/(\d+)/?")
KEPT_ANSWERS = 4
"""Number of answers about a study that are kept: pages that were opened at different times ask for different trials."""
LARGEST_KEPT_BYTES = 8 * 2**20
"""Size above which an answer is not kept: a whole study, which a page asks for once."""
Drawing = Callable[[TrialRecord, TrialRecord | None], bytes | None]


def _draw_channels(record: TrialRecord, _parent: TrialRecord | None) -> bytes | None:
    from search.pictures.curves import channel_picture  # imports matplotlib: not before a picture is asked for

    return channel_picture(record)


def _draw_curves(record: TrialRecord, parent: TrialRecord | None) -> bytes | None:
    from search.pictures.curves import curves_picture

    return curves_picture(record, parent)


PICTURES: Mapping[str, Drawing] = {"channels": _draw_channels, "curves": _draw_curves}


@dataclass(frozen=True)
class Stock:
    """optuna-dashboard, which answers what we do not.

    Attributes:
        app: Its application.
        forget_trials: Lets it read trials anew at the next request; it keeps them for ten seconds.
        serialize: Returns a trial as it stands in its answers. Its arguments are the study, from Optuna's storage, and
            a trial of it.
    """

    app: App
    forget_trials: Callable[[], None]
    serialize: Callable[[Any, Any], dict[str, Any]]


def with_records(stock: Callable[[], Stock], records: DashboardRecords) -> App:
    """Return the dashboard with our records in its answers, and the report under `/report/<study id>`.

    Args:
        stock: Returns optuna-dashboard, once it is loaded.
        records: Our records.
    """
    picture = lru_cache(maxsize=64)(_picture)
    drawing = threading.Lock()  # matplotlib does not support several threads
    details = _Details(stock, records)

    def answer(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if environ["REQUEST_METHOD"] == "GET" and (match := DETAIL.fullmatch(path)):
            return details.answer(int(match[1]), environ).send(start_response)
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
        return stock().app(environ, start_response)

    return answer


def _exists(records: DashboardRecords, study_id: int, trial_id: str | None) -> bool:
    try:
        records.storage.get_study_name_from_id(study_id)
        if trial_id is not None:
            records.storage.get_trial(int(trial_id))
    except KeyError:
        return False
    return True


@dataclass
class _Kept:
    """Answers about a study, by the number of trials that they leave out, and what they were made of."""

    made_of: object
    results: StudyResults | None
    answers: dict[int, Answer] = field(default_factory=dict)


@dataclass(frozen=True)
class _Details:
    """Answers about studies; they are kept while nothing is new."""

    stock: Callable[[], Stock]
    records: DashboardRecords
    _kept: dict[int, _Kept] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, study_id: int, environ: Environ) -> Answer:
        """Return the dashboard's own answer about a study, corrected and with notes."""
        try:
            after = max(0, int(parse_qs(environ.get("QUERY_STRING", "")).get("after", ["0"])[0]))
        except ValueError:
            return ask(self.stock().app, environ)  # the dashboard refuses it itself
        study = next((each for each in self.records.storage.get_all_studies() if each._study_id == study_id), None)
        if study is None:
            return ask(self.stock().app, environ)
        trials = self.records.storage.get_all_trials(study_id, deepcopy=False)
        results = self.records.results(study_id)
        made_of = (study, len(trials), [trial for trial in trials if not trial.state.is_finished()])
        with self._lock:
            kept = self._kept.get(study_id)
            if kept is None or kept.results is not results or kept.made_of != made_of:
                self.stock().forget_trials()
                kept = self._kept[study_id] = _Kept(made_of, results)
            if after not in kept.answers:
                found = _detail(self.stock(), study, trials, results, {**environ, "QUERY_STRING": f"after={after}"})
                if not found.status.startswith("200"):
                    return found
                if len(found.body) > LARGEST_KEPT_BYTES:
                    return found
                while len(kept.answers) >= KEPT_ANSWERS:
                    del kept.answers[next(iter(kept.answers))]
                kept.answers[after] = found
            return kept.answers[after]


def _detail(stock: Stock, study: Any, trials: Sequence[Any], results: StudyResults | None, environ: Environ) -> Answer:
    whole = ask(stock.app, environ)
    if not whole.status.startswith("200"):
        return whole
    detail = json.loads(whole.body)
    if not detail.get("is_preferential"):
        best = _members(trials, results) if results else _best(trials, detail["directions"])
        detail["best_trials"] = [stock.serialize(study, trial) for trial in best]
    excess = {trial.number: list(trial.constraints.values()) for trial in trials}
    for trial in (*detail["trials"], *detail["best_trials"]):
        trial["constraints"] = excess.get(trial["number"], [])  # one that was begun since then has none yet
    if results is not None:
        _add_notes(detail, results, study._study_id)
    return Answer(whole.status, whole.headers, json.dumps(detail).encode())


def _members(trials: Sequence[Any], results: StudyResults) -> list[Any]:
    """Return the trials on the front of the report; reference rows of it are no trials."""
    members = {record.number for record in results.records if record.name in results.front}
    return [trial for trial in trials if trial.number in members]


def _best(trials: Sequence[Any], directions: Sequence[str]) -> list[Any]:
    """Return the non-dominated trials among those that are complete and within all limits."""
    complete = [trial for trial in trials if trial.state.name == "COMPLETE"]
    rivals = [trial for trial in complete if all(excess <= 0 for excess in trial.constraints.values())]
    rivals = [trial for trial in rivals if all(map(math.isfinite, trial.values))]
    kept = non_dominated([trial.values for trial in rivals], [Direction(name) for name in directions])
    return [rivals[position] for position in kept]


def _add_notes(detail: dict[str, Any], found: StudyResults, study_id: int) -> None:
    rows = found.rows()
    by_number = {row.record.number: row for row in rows if row.record.number is not None}
    parent = parent_of(found.records)
    parent_row = next((row for row in rows if row.record is parent), None)
    if not detail["note"]["body"]:
        detail["note"] = {**detail["note"], "body": study_note(rows, f"/report/{study_id}")}
    for trial in (*detail["trials"], *detail["best_trials"]):
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
        found, number = records.results(study_id), records.storage.get_trial(trial_id).number
    except KeyError:  # no such study or trial in Optuna's storage
        return None
    record = None if found is None else next((each for each in found.records if each.number == number), None)
    if found is None or record is None:
        return None
    for kind in PICTURES:
        if artifact_id == _picture_id(found.study.sampler_name, record, kind):
            return picture(kind, _Picture(records, found, record))
    return None


@dataclass(frozen=True, eq=False)
class _Picture:
    """A record to draw. Equal for the same stored record, which never changes, so that pictures can be cached."""

    records: DashboardRecords
    found: StudyResults
    record: TrialRecord

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Picture) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[str, str, object]:
        return self.record.identity, self.record.name, self.record.finished


def _picture(kind: str, wanted: _Picture) -> bytes | None:
    parent = parent_of(wanted.found.records)
    names = [each.name for each in (wanted.record, parent) if each is not None]
    drawn = wanted.records.drawn(wanted.found, names)
    return PICTURES[kind](drawn[wanted.record.name], None if parent is None else drawn[parent.name])


def _report(records: DashboardRecords, study_id: int) -> Answer:
    from search.pages.report import html_report  # with pictures, as above
    from search.pictures.pareto import pareto_bytes

    try:
        found = records.with_curves(study_id)
    except KeyError:
        found = None
    if found is None:
        return refuse("404 Not Found", f"study {study_id} is not stored")
    picture = pareto_bytes(
        found.records,
        found.fronts,
        objectives=found.study.objectives,
        limits=found.limits,
        at_least=found.at_least,
    )
    page = html_report(found, picture, examples=records.pictures(found))
    return Answer("200 OK", [("Content-Type", "text/html; charset=utf-8")], page.encode())
