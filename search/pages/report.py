"""The results of a study as one self-contained HTML file, which works offline.

The page's content security policy forbids every request, and every script except ours. The template escapes all text;
the charts' figures are JSON in a data block.
"""

from __future__ import annotations

import base64
import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

import yaml

from objectives.base import Direction
from objectives.quantities import LATENCY_MS, QUANTITIES
from search.findings.columns import Column, columns_of
from search.findings.formats import splits_of
from search.findings.leaderboard import Row, parent_of
from search.findings.study_results import StudyResults
from search.findings.time_table import time_table
from search.findings.training_effort import effort_text, training_effort
from search.pages.charts import chart_data, counted_text
from search.pages.confusion import draw_confusion
from search.pages.example_pictures import ExamplePictures
from search.pages.importance import importances
from search.pages.page import part, render, trusted
from search.pages.subject import subject_facts
from search.record.latency_text import FURTHER, legend
from search.record.number_text import duration, score, significant
from search.record.trial import Outcome, trained_accuracy
from search.record.words import OUTCOME_WORDS, gain_title, role_text
from search.study.rows import PARENT_NAME
from spaces.shown import shown

REPORTED_PACKAGES = ("yolofront", "ultralytics", "torch", "onnxruntime", "optuna", "sqlalchemy", "numpy")
CONFIDENCE = 0.5
"""Confidence of the boxes that are shown first, where the study names none."""


def html_report(
    found: StudyResults,
    picture: bytes,
    clock: datetime | None = None,
    *,
    examples: ExamplePictures | None = None,
) -> str:
    """Return the report as one HTML page.

    Args:
        picture: The Pareto plot as PNG, shown if the browser runs no scripts.
        clock: Time of the report; now by default.
        examples: What the parent and a candidate find on val; None if it is not known.
    """
    rows = found.rows()
    confusion = examples.confusion if examples else None
    script = part("report.js")
    return render(
        "report.html",
        study=found.study,
        description=found.study.definition.get("description", ""),
        summary=found.summary,
        headline=headline(rows),
        accuracy=trained_accuracy(found.records).title,
        gain=gain_title(found.records),
        facts=_facts(found, clock or datetime.now(UTC)),
        highlights=_highlights(rows, found.study.objectives),
        effort=effort_text(training_effort(found.records)),
        columns=columns_of(found.records),
        legend=legend(found.records),
        remarks=found.remarks,
        rows=rows,
        further_splits=_further_splits(found),
        importances=importances(found.records, found.study.objectives[0][0]),
        objective=QUANTITIES[found.study.objectives[0][0]].title,
        parent_name=PARENT_NAME,
        costs={row.record.name: _cost(row) for row in rows},
        times=[(time, duration(time.seconds)) for time in time_table(found.records, since=found.study.created)],
        endings=_endings(rows),
        examples=examples,
        confusion=confusion,
        drawing=draw_confusion(confusion, examples.names) if examples and confusion else None,
        confidence=(found.study.definition.get("accuracy") or {}).get("confidence", CONFIDENCE),
        definition=yaml.safe_dump(_plain(found.study.definition), sort_keys=False, allow_unicode=True, width=100),
        targets=_targets(found),
        versions=_versions(),
        script=trusted(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        data=trusted(_json(chart_data(found, rows))),  # escaped for a script block
        picture=base64.b64encode(picture).decode(),
    )


def headline(rows: Sequence[Row]) -> str:
    """Return the results in two or three sentences: size of the front, and gains at its knee and its fast end."""
    members = [row for row in rows if row.on_front]
    if not members:
        return "No network is on the front yet."
    complete = sum(row.record.outcome is Outcome.COMPLETE and not row.record.is_repeated for row in rows)
    are = "is" if len(members) == 1 else "are"
    accuracy = trained_accuracy(row.record for row in rows).title
    sentences = [f"{len(members)} of {counted_text(complete, 'measured network')} {are} on the Pareto front."]
    for role, words in (("knee", "At the best trade-off (knee)"), ("fastest", "At its fast end")):
        row = next((row for row in members if role in row.roles), None)
        if row is not None and row.speed_up is not None and row.gain is not None:
            gained = f"{_gained(row.gain)} {accuracy}"
            sentences.append(f"{words}, {row.record.name} runs {row.speed_up:.2f}x as fast as the parent at {gained}.")
    return " ".join(sentences)


def _gained(gain: float) -> str:
    return f"{abs(gain):.3f} {'more' if gain > 0 else 'less'}"


def _facts(found: StudyResults, now: datetime) -> list[tuple[str, str]]:
    trials = [record for record in found.records if not record.is_reference]
    outcomes = [(OUTCOME_WORDS[o], sum(record.outcome is o for record in trials)) for o in Outcome]
    facts = [
        *subject_facts(found),
        ("trials", ", ".join(f"{count} {word}" for word, count in outcomes if count) or "none yet"),
        ("latencies", found.latency_line),
        ("limits", ", ".join(f"{name} up to {limit:g}" for name, limit in found.limits.items() if limit is not None)),
        ("started", f"{found.study.created:%Y-%m-%d %H:%M} UTC"),
        ("report made", f"{now:%Y-%m-%d %H:%M} UTC"),
    ]
    return [(name, text) for name, text in facts if text]


def _highlights(rows: Sequence[Row], objectives: Sequence[tuple[str, Direction]]) -> list[dict[str, Any]]:
    """Return the parent and the members of the front that have a role, as cards."""
    shown = (trained_accuracy(row.record for row in rows).name, LATENCY_MS.name)
    others = [Column.of(QUANTITIES[name]) for name, _ in objectives if name not in shown]
    parent = parent_of([row.record for row in rows])
    rivals = sum(row.on_front for row in rows) > 1  # a lone member is no fastest one
    cards = []
    for row in rows:
        if row.record is not parent and not row.roles:
            continue
        accuracy, latency = (row.values[name] for name in shown)
        cards.append({
"title": ", ".join([*(["parent"] if row.record is parent else []), *(map(role_text, row.roles) if rivals else [])]),
            "row": row,
            "accuracy": "" if accuracy is None else score(accuracy),
            "latency": "" if latency is None else significant(latency),
            "others": [
                (column.title, "" if (value := row.record.value(column.key)) is None else column.text(value))
                for column in others
            ],
        })  # fmt: skip
    return cards


def _cost(row: Row) -> tuple[float, str]:
    """Return the seconds that a network took, and the same as text."""
    seconds = sum(row.record.seconds.values())
    return seconds, duration(seconds) if seconds else ""


def _further_splits(found: StudyResults) -> list[tuple[str, dict[str, str]]]:
    """Return the splits beside val, each with the accuracy of its records."""
    columns, accuracy = [], trained_accuracy(found.records).name
    for split in splits_of(found.records)[1:]:
        scores = {r.name: score(known) for r in found.records if (known := r.value(accuracy, split)) is not None}
        columns.append((split, scores))
    return columns


def _endings(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """Return the trials that did not complete, by outcome."""
    groups = [(outcome, [row for row in rows if row.record.outcome is outcome]) for outcome in Outcome]
    return [(OUTCOME_WORDS[outcome], group) for outcome, group in groups if group and outcome is not Outcome.COMPLETE]


def _targets(found: StudyResults) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return a title and its lines for each target that was measured on."""
    every = {"latency target": found.target}
    every |= {f"further target {name.removeprefix(FURTHER)}": target for name, target in found.further_targets.items()}
    return [(title, _target_lines(target)) for title, target in every.items() if target]


def _target_lines(target: Mapping[str, object]) -> list[tuple[str, str]]:
    return [(name.replace("_", " "), _text(value)) for name, value in target.items() if value not in (None, "")]


def _text(value: object) -> str:
    if isinstance(value, float):
        return significant(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def _versions() -> list[tuple[str, str]]:
    found = [("Python", platform.python_version())]
    for package in REPORTED_PACKAGES:
        try:
            found.append((package, metadata.version(package)))
        except metadata.PackageNotFoundError:  # not installed: run from a checkout
            continue
    return found


def _plain(value: Any) -> Any:
    """Return mappings and sequences as plain ones, which YAML writes without tags."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _shown(value: Any) -> Any:
    """Return JSON values whose texts are visible, as they are in the page around them."""
    if isinstance(value, Mapping):
        return {shown(key): _shown(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(item) for item in value]
    return shown(value) if isinstance(value, str) else value


def _json(value: object) -> str:
    """Return JSON that cannot end the script block that contains it."""
    text = json.dumps(_shown(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
