"""The results of a study as plain values, for JSON: `yolofront report --json`, and the last line of a JSON log."""

from __future__ import annotations

from typing import Any

from search.findings.leaderboard import Row
from search.findings.study_results import StudyResults
from search.record.trial import TrialRecord


def plain_results(found: StudyResults) -> dict[str, Any]:
    """Return the study's facts and its rows, in the order of the leaderboard; figures in full precision."""
    return {
        "study": found.study.sampler_name,
        "objectives": {name: direction.value for name, direction in found.study.objectives},
        "limits": dict(found.limits),
        "target": dict(found.target),
        "trials": found.counted,
        "front": list(found.front),
        "summary": found.summary,
        "remarks": list(found.remarks),
        "rows": [_row(row) for row in found.rows()],
    }


def _row(row: Row) -> dict[str, Any]:
    record = row.record
    return {
        "name": record.name,
        "number": record.number,
        "outcome": record.outcome.value,
        "reason": record.reason,
        "on_front": row.on_front,
        "roles": list(row.roles),
        "gain": row.gain,
        "speed_up": row.speed_up,
        "note": row.note,
        "params": dict(record.params),
        "checkpoint": record.checkpoint,
        "lineage": record.lineage,
        "seconds": dict(record.seconds),
        "measurements": {each.name: vars(each) for each in record.measurements},
        "accuracy": _accuracy(record),
    }


def _accuracy(record: TrialRecord) -> dict[str, dict[str, Any]]:
    left_out = ("split", "curves")
    return {
        each.split: {name: value for name, value in vars(each).items() if name not in left_out}
        for each in record.evaluations
    }
