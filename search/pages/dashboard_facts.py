"""What our records add to the dashboard when it is asked: constraints, best trials, notes, pictures, a report.

optuna-dashboard reads only the old list form of constraints, so that an infeasible trial would show as best; and notes
and pictures in Optuna's tables would be read by every sampler at every step. Nothing of this is stored: records are the
truth, and what is shown is never older than a few seconds. A note that a person saved in the dashboard wins over ours.
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
from search.findings.findings import Findings, read_findings
from search.findings.leaderboard import Row, parent_of
from search.pages.dashboard_guard import Answer, App, Environ, StartResponse, ask, plain
from search.pages.notes import study_note, trial_note
from search.pages.report import html_report
from search.pictures.curves import channel_picture, curves_picture
from search.pictures.pareto import pareto_bytes
from search.record.front import non_dominated
from search.record.trial import TrialRecord
from search.store.base import Store

DETAIL = re.compile(r"/api/studies/(\d+)/?")
PICTURE = re.compile(r"/artifacts/(\d+)/(\d+)/([0-9a-f-]{36})/?")
REPORT = re.compile(r"/report/(\d+)/?")
PICTURES: Mapping[str, Callable[[TrialRecord, TrialRecord | None], bytes | None]] = {
    "channels": lambda record, parent: channel_picture(record),
    "curves": curves_picture,
}
FRESH_S = 2.0
PATIENCE = 20
"""Records are read again after this many times what reading them took: a large study is not read all the time."""


class SamplerStorage(Protocol):
    """What we ask of Optuna's storage."""

    def get_study_name_from_id(self, study_id: int) -> str:
        """The study's name."""

    def get_all_trials(self, study_id: int, deepcopy: bool = True) -> list[Any]:
        """All trials, each with a `number` and `constraints`."""

    def get_trial(self, trial_id: int) -> Any:
        """One trial."""


@dataclass
class Facts:
    """Our records of the studies that the dashboard shows, read again when they are no longer fresh."""

    store: Store
    storage: SamplerStorage
    clock: Callable[[], float] = time.monotonic
    _found: dict[str, tuple[float, Findings | None]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def findings(self, study_id: int) -> Findings | None:
        """Our records of the study with that Optuna id; None for a study that is not ours."""
        name = self.storage.get_study_name_from_id(study_id)
        with self._lock:
            until, found = self._found.get(name, (-1.0, None))
            began = self.clock()
            if began < until:
                return found
            study = next((entry for entry in self.store.studies() if entry.sampler_name == name), None)
            found = None if study is None else read_findings(self.store, study, curves=True)
            took = self.clock() - began
            self._found[name] = (self.clock() + max(FRESH_S, PATIENCE * took), found)
            return found

    def record(self, study_id: int, trial_id: int) -> TrialRecord | None:
        """Our record of one of Optuna's trials, if it is finished."""
        found = self.findings(study_id)
        number = self.storage.get_trial(trial_id).number
        return None if found is None else next((r for r in found.records if r.number == number), None)


def informed(app: App, facts: Facts) -> App:
    """The dashboard with our facts: in its study details, as pictures, and the report under `/report/<study id>`."""
    picture = lru_cache(maxsize=64)(_picture)
    drawing = threading.Lock()  # matplotlib is not made for several threads

    def answer(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if environ["REQUEST_METHOD"] == "GET" and (match := DETAIL.fullmatch(path)):
            return _detail(app, facts, int(match[1]), environ).send(start_response)
        if match := PICTURE.fullmatch(path):
            with drawing:
                image = _wanted_picture(picture, facts, int(match[1]), int(match[2]), match[3])
            if image is not None:
                return Answer("200 OK", [("Content-Type", "image/png")], image).send(start_response)
        if match := REPORT.fullmatch(path):
            with drawing:
                return _report(facts, int(match[1])).send(start_response)
        return app(environ, start_response)

    return answer


def _detail(app: App, facts: Facts, study_id: int, environ: Environ) -> Answer:
    """The dashboard's own answer about a study, put right."""
    try:
        after = max(0, int(parse_qs(environ.get("QUERY_STRING", "")).get("after", ["0"])[0]))
    except ValueError:
        return ask(app, environ)  # refused with its own words
    whole = ask(app, {**environ, "QUERY_STRING": ""})  # best trials are sought among all, not only the new ones
    if not whole.status.startswith("200"):
        return whole
    detail = json.loads(whole.body)
    excess = {t.number: list(t.constraints.values()) for t in facts.storage.get_all_trials(study_id, deepcopy=False)}
    for trial in detail["trials"]:
        trial["constraints"] = excess.get(trial["number"], [])
    found = facts.findings(study_id)
    if found is not None:
        _add_notes(detail, found, study_id)
    if not detail.get("is_preferential"):
        detail["best_trials"] = _best(detail["trials"], detail["directions"])
    detail["trials"] = detail["trials"][after:]
    return Answer(whole.status, whole.headers, json.dumps(detail).encode())


def _best(trials: list[dict[str, Any]], directions: list[str]) -> list[dict[str, Any]]:
    """The non-dominated trials among those that are complete and within all limits."""
    rivals = [trial for trial in trials if trial["state"] == "Complete" and all(c <= 0 for c in trial["constraints"])]
    rivals = [trial for trial in rivals if all(isinstance(value, int | float) for value in trial["values"])]
    kept = non_dominated([trial["values"] for trial in rivals], [Direction(direction) for direction in directions])
    return [rivals[position] for position in kept]


def _add_notes(detail: dict[str, Any], found: Findings, study_id: int) -> None:
    rows = found.rows()
    by_number = {row.record.number: row for row in rows if row.record.number is not None}
    parent = parent_of(found.records)
    parent_row = next((row for row in rows if row.record is parent), None)
    if not detail["note"]["body"]:
        detail["note"] = {**detail["note"], "body": study_note(rows, f"/report/{study_id}")}
    for trial in detail["trials"]:
        row = by_number.get(trial["number"])
        if row is None:
            continue  # not finished, or not yet told to us
        artifacts = _artifacts(found, row)
        trial["artifacts"] = artifacts + trial["artifacts"]
        if not trial["note"]["body"]:
            pictures = {a["filename"].removesuffix(".png"): _address(study_id, trial, a) for a in artifacts}
            trial["note"] = {**trial["note"], "body": trial_note(row, parent_row, pictures)}


def _address(study_id: int, trial: Mapping[str, Any], artifact: Mapping[str, str]) -> str:
    return f"/artifacts/{study_id}/{trial['trial_id']}/{artifact['artifact_id']}"


def _artifacts(found: Findings, row: Row) -> list[dict[str, str]]:
    """The pictures of a record, as the dashboard lists files."""
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


def _wanted_picture(
    picture: Callable[..., bytes | None], facts: Facts, study_id: int, trial_id: int, artifact_id: str
) -> bytes | None:
    """The picture of that id; None where it is not one of ours: a file that somebody uploaded."""
    try:
        found, record = facts.findings(study_id), facts.record(study_id, trial_id)
    except KeyError:  # Optuna's storage knows no such study or trial
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
    """A record to draw; two are the same picture if they tell of the same stored trial (a record never changes)."""

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


def _report(facts: Facts, study_id: int) -> Answer:
    try:
        found = facts.findings(study_id)
    except KeyError:
        found = None
    if found is None:
        return plain("404 Not Found", f"no study {study_id} of ours is stored")
    picture = pareto_bytes(found.records, found.fronts, objectives=found.study.objectives, limits=found.limits)
    page = html_report(found, picture)
    return Answer("200 OK", [("Content-Type", "text/html; charset=utf-8")], page.encode())
