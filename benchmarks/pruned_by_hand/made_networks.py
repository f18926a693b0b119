"""Networks of a data set's studies: those made by hand, and those that the searches found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from search.findings.study_results import StudyResults, read_study_results
from search.record.folders import RunFolder
from search.record.front import non_dominated
from search.record.latency_text import LATENCY
from search.record.trial import Outcome, TrialRecord
from search.store.sql import open_store
from search.study.definition import StudyDefinition
from search.study.rows import PARENT_NAME

ROUNDS_STUDY, HAND_GRAFT_STUDY = "imp", "nas_distill"
GRAFT_SEARCH, DENSE_SEARCH = "nas_head", "channel_ratio"
"""The searches: of grafts of the rounds, and from the dense parent."""
COMPARED_STUDIES = (ROUNDS_STUDY, GRAFT_SEARCH, HAND_GRAFT_STUDY, DENSE_SEARCH)
LEVELS_STUDY = "prune_levels"
TRIAL_PREFIX = "trial "


def find_findings(project: Path, study: str) -> StudyResults | None:
    """Return the findings of a study from a run folder's database; None if it was not run."""
    store = open_store(RunFolder(project).default_storage)
    try:
        entry = store.latest_study(study)
        return None if entry is None else read_study_results(store, entry)
    finally:
        store.close()


def known_findings(project: Path, study: str) -> StudyResults:
    """Return the findings of a study that was run.

    Raises:
        LookupError: If it was not run.
    """
    found = find_findings(project, study)
    if found is None:
        raise LookupError(f"{project} has no study '{study}'; run it first")
    return found


def data_set_projects(out: Path) -> list[Path]:
    """Return the run folder of each data set."""
    return sorted(path for path in out.iterdir() if path.is_dir())


def accuracy_of(record: TrialRecord) -> float:
    """Return mAP50-95 on val."""
    return record.value("map50_95") or 0.0


def latency_ms_of(record: TrialRecord) -> float:
    """Return the latency in ms; infinite if it is unknown."""
    return record.value(LATENCY) or math.inf


def complete_records(found: StudyResults) -> list[TrialRecord]:
    """Return the records with an accuracy."""
    return [row for row in found.records if row.outcome is Outcome.COMPLETE and row.value("map50_95") is not None]


def made_by_hand(found: StudyResults) -> list[TrialRecord]:
    """Return donors, controls, and those of them that were polished."""
    return [
        row
        for row in complete_records(found)
        if row.is_reference and row.name != PARENT_NAME and not row.name.startswith(TRIAL_PREFIX)
    ]


def found_by_search(found: StudyResults) -> list[TrialRecord]:
    """Return trials, and those of them that were polished."""
    return [row for row in complete_records(found) if row.name.startswith(TRIAL_PREFIX)]


def best_by_hand(project: Path) -> tuple[str, TrialRecord]:
    """Return the most accurate network by hand that was not polished, and the study that has it first."""
    found = {study: each for study in COMPARED_STUDIES if (each := find_findings(project, study)) is not None}
    rows = [(study, row) for study, each in found.items() for row in made_by_hand(each) if not row.is_polished]
    return max(rows, key=lambda each: accuracy_of(each[1]))


def front_members_below(found: StudyResults, limit_ms: float) -> list[TrialRecord]:
    """Return the front's trials within a latency limit, or all of them if none is within it; most accurate first."""
    complete = [row for row in found.records if not row.is_reference and row.outcome is Outcome.COMPLETE]
    values = [(accuracy_of(row), latency_ms_of(row)) for row in complete]
    directions = [direction for _, direction in found.study.objectives]
    front = [complete[place] for place in non_dominated(values, directions)]
    fast: Sequence[TrialRecord] = [row for row in front if latency_ms_of(row) <= limit_ms]
    return sorted(fast or front, key=accuracy_of, reverse=True)


def epochs_by_hand(study: StudyDefinition) -> float:
    """Return the epochs that the rounds are trained, with sparsity and without."""
    recipes = [study.recipe_of(row) for row in study.donors] + [study.sparse_recipe_of(row) for row in study.donors]
    return sum(float(recipe["epochs"]) for recipe in recipes)


def epochs_searched(found: StudyResults) -> int:
    """Return the epochs of a study's trials, polished ones included."""
    return sum(len(row.rungs) for row in found.records if row.name.startswith(TRIAL_PREFIX))
