"""Facts about an exported network, for the file's metadata, the JSON beside it and the model card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from objectives.base import Evaluation
from objectives.export.model_card import description
from objectives.quantities import BEST_F1, BEST_F1_CONFIDENCE, F1, MAP50, MAP50_95, OWN_ACCURACIES, PRECISION, RECALL
from search.record.trial import TrialRecord
from spaces.base import Candidate
from spaces.structure.heads import task_of

EXPORTED_FIGURES = tuple(each.name for each in (MAP50_95, MAP50, PRECISION, RECALL, F1, BEST_F1, BEST_F1_CONFIDENCE))


def export_facts(study: str, record: TrialRecord, candidate: Candidate, data: str) -> dict[str, Any]:
    """Return the facts as plain values.

    Args:
        study: Name of the study.
        data: Name of the data set.
    """
    spec = candidate.spec
    before = [ancestor.name for ancestor in record.ancestors] or [name for name in (record.lineage,) if name]
    facts: dict[str, Any] = {
        "study": study,
        "trial": record.name,
        "task": task_of(candidate.network),
        "data": data,
        "lineage": before,
        "checkpoint": record.checkpoint,
        "classes": list(candidate.classes),
        "imgsz": candidate.imgsz,
        "architecture": {
            "model": _model(candidate).get("yaml_file"),
            "parent": spec.parent,
            "spec": spec.key,
            "widths": {name: len(kept) for name, kept in zip(spec.groups, spec.kept, strict=True)},
        },
        "figures": {
            **{entry.name: entry.value for entry in record.measurements if not entry.predicted},
            "accuracy": {
                each.split: {**_own(record, each.split), **split_figures(each)} for each in record.evaluations
            },
        },
    }
    return {"description": description(facts), **facts}


def split_figures(evaluation: Evaluation) -> Mapping[str, float]:
    """Return the accuracy on a split, with the confidence and matching IoU of precision, recall and F1."""
    return {name: getattr(evaluation, name) for name in (*EXPORTED_FIGURES, "confidence", "iou")}


def _own(record: TrialRecord, split: str) -> Mapping[str, float]:
    """Return the accuracies of the task itself that were measured on a split."""
    named = (quantity.name for own in OWN_ACCURACIES.values() for quantity in own)
    return {name: value for name in named if (value := record.value(name, split)) is not None}


def _model(candidate: Candidate) -> Mapping[str, Any]:
    """Return the resolved model YAML of the parent, which Ultralytics keeps with every network."""
    return cast(Mapping[str, Any], candidate.network.yaml)
