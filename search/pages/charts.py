"""The figures of the HTML report's charts, as plain values for its script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from objectives.base import Curves, Direction
from search.findings.leaderboard import Row, parent_of
from search.findings.panels import Panel, kind_of, panels_of
from search.findings.study_results import StudyResults
from search.findings.training_effort import hypervolume_history
from search.record.latency_text import is_predicted
from search.record.trial import Outcome, TrialRecord, trained_accuracy
from search.record.words import OUTCOME_WORDS, roles_text

MAX_CURVES = 60
"""Maximum number of learning curves beside those of the front and the reference rows; the latest are drawn."""
MAX_MEMBERS = 24
"""Maximum number of front members with curves and channel widths; of more, evenly spaced ones are drawn."""
CONFIDENCES = 51
"""Number of points of a confidence curve: one every 0.02 is as fine as a screen can show."""


def chart_data(found: StudyResults, rows: Sequence[Row]) -> dict[str, Any]:
    """Return everything that the script draws as JSON values; numbers are rounded to visible digits."""
    by_name = {record.name: record for record in found.records}
    members = evenly_spaced([by_name[name] for name in found.front if name in by_name], MAX_MEMBERS)
    parent = parent_of(found.records)
    return {
        "panels": [_panel(found, rows, parent, panel) for panel in panels_of(found.study.objectives)],
        "history": _history(found),
        "accuracy": trained_accuracy(found.records).title,
        "learning": [_learning(record, found, parent) for record in _learners(found)],
        "curves": [
            _curves(record.name, curves, record is parent)
            for record in _with_parent(members, parent)
            if (curves := _val_curves(record)) is not None
        ],
        "widths": _widths(members),
    }


def evenly_spaced(members: Sequence[TrialRecord], most: int) -> list[TrialRecord]:
    """Return at most `most` of the members, evenly spaced, with the first and the last."""
    if len(members) <= most:
        return list(members)
    return [members[round(index * (len(members) - 1) / (most - 1))] for index in range(most)]


def _panel(found: StudyResults, rows: Sequence[Row], parent: TrialRecord | None, panel: Panel) -> dict[str, Any]:
    return {
        "axes": _axes(found, panel),
        "points": _points(found, rows, parent, panel),
        "rug": _rug(found, panel.horizontal[0]),
        "edge": [record.name for record in panel.edge([row.record for row in rows if row.on_front])],
    }


def _axes(found: StudyResults, panel: Panel) -> dict[str, Any]:
    (across, x_better), (_, y_better), (x_title, y_title) = panel.horizontal, panel.vertical, panel.titles
    return {
        "x": {"title": x_title, "less": x_better is Direction.MINIMIZE},
        "y": {"title": y_title, "less": y_better is Direction.MINIMIZE},
        "limit": found.limits.get(across),
    }


def _points(found: StudyResults, rows: Sequence[Row], parent: TrialRecord | None, panel: Panel) -> list[dict[str, Any]]:
    points = []
    for index, row in enumerate(rows):
        record = row.record
        place = panel.place(record)
        if record.outcome is not Outcome.COMPLETE or place is None:
            continue
        point = {"row": index, "name": record.name, "kind": kind_of(record, found.front, parent),
                 "x": _rounded(place[0]), "y": _rounded(place[1]), "error": _rounded(panel.error(record)),
                 "front": row.on_front}  # fmt: skip
        marked = {"predicted": True} if is_predicted(record, panel.horizontal[0]) else {}
        points.append(point | marked | ({"roles": roles_text(row.roles)} if row.roles else {}))
    return points


def _rug(found: StudyResults, across: str) -> list[dict[str, Any]]:
    """Return the records that have a latency, measured or predicted, but were never scored."""
    endings = (Outcome.RULED_OUT, Outcome.STOPPED, Outcome.FAILED)
    return [
        {
            "name": record.name,
            "x": _rounded(x),
            "why": f"{OUTCOME_WORDS[record.outcome]}: {record.reason}",
            "predicted": is_predicted(record, across),
        }
        for record in found.records
        if record.outcome in endings and (x := record.value(across)) is not None
    ]


def _history(found: StudyResults) -> list[list[float]]:
    """Return the front's hypervolume by counted trials and by seconds of training."""
    history = hypervolume_history(found.records, found.fronts)
    return [[each.trials, round(each.training_s, 1), _rounded(each.hypervolume)] for each in history]


def _learners(found: StudyResults) -> list[TrialRecord]:
    curved = [record for record in found.records if record.rungs]
    first = [record for record in curved if record.is_beside_trials or record.name in found.front]
    rest = [record for record in curved if not record.is_beside_trials and record.name not in found.front]
    return rest[-MAX_CURVES:] + first  # drawn in this order, so that the important ones lie on top


def _learning(record: TrialRecord, found: StudyResults, parent: TrialRecord | None) -> dict[str, Any]:
    kind = "stopped" if record.outcome is Outcome.STOPPED else kind_of(record, found.front, parent)
    return {"name": record.name, "kind": kind, "points": [[r.epoch, _rounded(r.map50_95)] for r in record.rungs]}


def _with_parent(members: Sequence[TrialRecord], parent: TrialRecord | None) -> list[TrialRecord]:
    return list(members) if parent is None or parent in members else [*members, parent]


def _val_curves(record: TrialRecord) -> Curves | None:
    accuracy = record.evaluation()
    return None if accuracy is None else accuracy.curves


def _curves(name: str, curves: Curves, is_parent: bool) -> dict[str, Any]:
    step = max(1, (len(curves.confidence) - 1) // (CONFIDENCES - 1))
    lines: Mapping[str, Sequence[float]] = {
        "confidence": curves.confidence, "precision": curves.precision, "recall": curves.recall, "f1": curves.f1,
    }  # fmt: skip
    thinned = {name: [round(value, 3) for value in values[::step]] for name, values in lines.items()}
    return {"name": name, "parent": is_parent, **thinned}


def _widths(members: Sequence[TrialRecord]) -> dict[str, Any]:
    specs = [(record.name, record.spec) for record in members if record.spec is not None]
    if not specs:
        return {"groups": [], "whole": [], "members": []}
    first = specs[0][1]
    same = [(name, spec) for name, spec in specs if spec.groups == first.groups]
    return {
        "groups": list(first.groups),
        "whole": list(first.widths),
        "members": [{"name": name, "kept": [len(kept) for kept in spec.kept]} for name, spec in same],
    }


def _rounded(value: float) -> float:
    """Round to six significant digits: more are not visible, and the file stays small."""
    return float(f"{value:.6g}")


def counted_text(count: int, singular: str) -> str:
    """Return a count with its noun: `1 trial`, `12 trials`."""
    return f"{count} {singular}" if count == 1 else f"{count} {singular}s"
