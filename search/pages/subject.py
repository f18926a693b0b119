"""The subject of a report: what was searched, on which data and hardware, and what it cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from search.findings.leaderboard import parent_of
from search.findings.study_results import StudyResults
from search.record.number_text import duration
from search.record.trial import TrialRecord

TARGET_WORDS = ("runtime", "provider", "precision")
HARDWARE = ("cpu", "gpu", "device", "model")
"""Entries of a target's description that name the machine; the first one that is there counts."""


def subject_facts(found: StudyResults) -> Iterator[tuple[str, str]]:
    """Yield name and text of each fact: parent, data, training, latency target, cost. Unknown ones are left out."""
    definition, parent = found.study.definition, parent_of(found.records)
    yield "parent", ", ".join(filter(None, (_parent_model(definition), _image_size(found, parent))))
    yield "data", ", ".join(filter(None, (_data_name(definition), _images(parent))))
    yield "training", _epochs(found, parent)
    yield "latency on", _target(found)
    yield "time, all workers added", _cost(found, parent)


def _parent_model(definition: Mapping[str, Any]) -> str:
    given = definition.get("parent") or {}
    return str(given.get("weights") or given.get("model") or "") if isinstance(given, Mapping) else str(given)


def _image_size(found: StudyResults, parent: TrialRecord | None) -> str:
    size = found.target.get("imgsz") or (parent.recipe.get("imgsz") if parent else None)
    return f"{size} px" if size else ""


def _data_name(definition: Mapping[str, Any]) -> str:
    given = definition.get("data") or ""
    return str(given.get("source", "")) if isinstance(given, Mapping) else str(given)


def _images(parent: TrialRecord | None) -> str:
    if parent is None or not parent.evaluations:
        return ""
    counts = ", ".join(f"{each.images} images in {each.split}" for each in parent.evaluations)
    classes = len(parent.evaluations[0].ap_per_class)
    return f"{classes} classes, {counts}" if classes > 1 else counts


def _epochs(found: StudyResults, parent: TrialRecord | None) -> str:
    epochs = sorted({record.epochs for record in found.records if not record.is_reference and record.epochs})
    spread = " to ".join(str(each) for each in dict.fromkeys([*epochs[:1], *epochs[-1:]]))
    texts = [f"parent {parent.epochs} epochs" if parent is not None and parent.epochs else ""]
    texts += [f"trials {spread} epochs" if spread else ""]
    return ", ".join(filter(None, texts))


def _target(found: StudyResults) -> str:
    named = " ".join(str(found.target[key]) for key in TARGET_WORDS if key in found.target)
    threads = found.target.get("threads")
    machine = next((str(found.target[key]) for key in HARDWARE if found.target.get(key)), "")
    counted = f"{threads} thread{'s' * (threads != 1)}" if isinstance(threads, int) else ""
    return ", ".join(filter(None, (named, counted, machine)))


def _cost(found: StudyResults, parent: TrialRecord | None) -> str:
    """Return the time of the parent's row and of all trials."""
    seconds = sum(sum(record.seconds.values()) for record in found.records if not record.is_reference)
    whole = sum(parent.seconds.values()) if parent is not None else 0.0
    parts = (("the trials", seconds), ("the parent", whole))
    return ", ".join(f"{duration(spent)} for {what}" for what, spent in parts if spent)
