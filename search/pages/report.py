"""One self-contained HTML file that says what a study found: works offline, asks nobody for anything.

The page's own content security policy forbids every request and every script but ours. All text is escaped by the
template; the charts' figures travel as JSON in a data block.
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

from search.findings.columns import columns_of
from search.findings.findings import Findings
from search.findings.formats import splits_of
from search.findings.leaderboard import Row, parent_of
from search.findings.time_table import time_table
from search.findings.training_effort import effort, in_words
from search.pages.charts import chart_data, counted_text
from search.pages.page import part, render, trusted
from search.record.confirmation import summary
from search.record.latency_text import FURTHER, legend
from search.record.number_text import duration, score, significant
from search.record.trial import Outcome

TARGET_WORDS = ("runtime", "provider", "precision")
PACKAGES = ("yolofront", "ultralytics", "torch", "onnxruntime", "optuna", "sqlalchemy", "numpy")


def html_report(found: Findings, picture: bytes, clock: datetime | None = None) -> str:
    """The report as one HTML page.

    Args:
        picture: The Pareto plot as PNG, shown where scripts are switched off.
        clock: When the report is made; now by default.
    """
    rows = found.rows()
    script = part("report.js")
    return render(
        "report.html",
        study=found.study,
        description=found.study.definition.get("description", ""),
        headline=headline(rows),
        facts=_facts(found, clock or datetime.now(UTC)),
        highlights=_highlights(rows),
        effort=in_words(effort(found.records)),
        columns=columns_of(found.records),
        legend=legend(found.records),
        rows=rows,
        further_splits=_further_splits(found),
        times=[(time, duration(time.seconds)) for time in time_table(found.records, since=found.study.created)],
        endings=_endings(rows),
        definition=yaml.safe_dump(_plain(found.study.definition), sort_keys=False, allow_unicode=True, width=100),
        targets=_targets(found),
        versions=_versions(),
        script=trusted(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        data=trusted(_json(chart_data(found, rows))),  # escaped for a script block
        picture=base64.b64encode(picture).decode(),
    )


def headline(rows: Sequence[Row]) -> str:
    """The finding in a sentence or two: how many networks are on the front, and what the knee and the fastest gain."""
    members = [row for row in rows if row.on_front]
    if not members:
        return "No network is on the front yet."
    complete = sum(row.record.outcome is Outcome.COMPLETE for row in rows)
    are = "is" if len(members) == 1 else "are"
    sentences = [f"{len(members)} of {counted_text(complete, 'measured network')} {are} on the Pareto front."]
    for role, words in (("knee", "At its knee"), ("fastest", "At its fast end")):
        row = next((row for row in members if role in row.roles), None)
        if row is not None and row.speed_up is not None and row.gain is not None:
            sentences.append(
                f"{words}, {row.record.name} runs {row.speed_up:.2f}x as fast as the parent at {_gained(row.gain)}."
            )
    return " ".join(sentences)


def _gained(gain: float) -> str:
    return f"{abs(gain):.3f} {'more' if gain > 0 else 'less'} mAP50-95"


def _facts(found: Findings, now: datetime) -> list[tuple[str, str]]:
    trials = [record for record in found.records if not record.is_reference]
    outcomes = [(o.value.replace("_", " "), sum(record.outcome is o for record in trials)) for o in Outcome]
    data = found.study.definition.get("data", "")
    facts = [
        ("trials", ", ".join(f"{count} {word}" for word, count in outcomes if count) or "none yet"),
        ("data", str(data.get("source", "")) if isinstance(data, Mapping) else str(data)),
        ("latency on", " ".join(str(found.target[key]) for key in TARGET_WORDS if key in found.target)),
        ("finalists", "" if found.confirmation is None else summary(found.confirmation)),
        ("limits", ", ".join(f"{name} up to {limit:g}" for name, limit in found.limits.items() if limit is not None)),
        ("started", f"{found.study.created:%Y-%m-%d %H:%M} UTC"),
        ("report made", f"{now:%Y-%m-%d %H:%M} UTC"),
    ]
    return [(name, text) for name, text in facts if text]


def _highlights(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The parent and the members of the front that have a role, as cards."""
    parent = parent_of([row.record for row in rows])
    cards = []
    for row in rows:
        if row.record is not parent and not row.roles:
            continue
        latency = row.values["latency_ms"]
        accuracy = row.values["map50_95"]
        cards.append({
            "title": ", ".join((["parent"] if row.record is parent else []) + list(row.roles)),
            "row": row,
            "accuracy": "" if accuracy is None else score(accuracy),
            "latency": "" if latency is None else significant(latency),
        })  # fmt: skip
    return cards


def _further_splits(found: Findings) -> list[tuple[str, dict[str, str]]]:
    """Splits besides val, each with the mAP50-95 of every record that has one."""
    columns = []
    for split in splits_of(found.records)[1:]:
        scores = {r.name: score(e.map50_95) for r in found.records if (e := r.evaluation(split)) is not None}
        columns.append((split, scores))
    return columns


def _endings(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """Trials without a place in the table's upper part, by how they ended."""
    groups = [(outcome, [row for row in rows if row.record.outcome is outcome]) for outcome in Outcome]
    return [
        (outcome.value.replace("_", " "), group)
        for outcome, group in groups
        if group and outcome is not Outcome.COMPLETE
    ]


def _targets(found: Findings) -> list[tuple[str, list[tuple[str, str]]]]:
    """A title and its lines for each target of the study that was measured on."""
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
    for package in PACKAGES:
        try:
            found.append((package, metadata.version(package)))
        except metadata.PackageNotFoundError:  # run from a checkout that is not installed
            continue
    return found


def _plain(value: Any) -> Any:
    """Mappings and tuples as YAML writes them without tags."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _json(value: object) -> str:
    """JSON that cannot end the script block it stands in."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
