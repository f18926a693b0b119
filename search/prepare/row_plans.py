"""Plans of the rows beside the trials, from the definition: networks to be pruned or grafted, with their recipes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from objectives.recipe import Recipe
from search.prepare.cutting import ChannelRule
from search.prepare.inputs import StudyInputs, complete_recipe
from search.prepare.lineage import Grafting
from search.prepare.pruning_round import FlopsPruning, Pruning, RatioPruning, ThresholdPruning
from search.record.events import Say
from search.record.stopwatch import Clock
from search.store.base import Store, StudyEntry
from search.study.definition import StudyDefinition
from search.study.rows import GraftOf, RowSection
from search.trial.workbench import Workbench
from spaces.base import SCRATCH, ParamValue


@dataclass(frozen=True)
class StudyTools:
    """A study, and what a process makes its rows with.

    Attributes:
        bench: The tools of this process, around the untrained parent.
        say: Receives an event at the start of each training, and for each row that is stored.
        parent_wait_s: Seconds that this process waits for a parent that another one trains.
    """

    definition: StudyDefinition
    store: Store
    study: StudyEntry
    bench: Workbench
    inputs: StudyInputs
    say: Say
    clock: Clock
    parent_wait_s: float = math.inf


def grafting_of(tools: StudyTools, section: RowSection, graft: GraftOf) -> Grafting:
    """Return the network that a section joins from two others."""
    return Grafting(backbone=graft.backbone, head=graft.head, **_shared(tools, section))


def pruning_of(tools: StudyTools, section: RowSection, source: str) -> Pruning:
    """Return the network that a section prunes from another one, or from the parent's structure."""
    multiple = tools.definition.space.multiple
    shared = {**_shared(tools, section), "source": source}
    if section.threshold is not None and section.ratio is not None:
        sparse = _recipe(tools, tools.definition.sparse_recipe_of(section))
        return ThresholdPruning(
            threshold=section.threshold, ratio=section.ratio, multiple=multiple, sparse=sparse, **shared
        )
    rule = ChannelRule(section.cut, section.criterion, multiple)
    if section.flops is not None:
        return FlopsPruning(rule=rule, flops=section.flops, **shared)
    if section.ratio is not None:
        return RatioPruning(rule=rule, ratio=section.ratio, **shared)
    raise ValueError(f"'{section.name}' has neither ratio nor flops; it cannot be pruned")


def begins_fresh(pruning: Pruning) -> bool:
    """Return whether nothing of a network depends on the parent's training: neither its widths nor its weights."""
    is_even = isinstance(pruning, RatioPruning) and pruning.rule.cut == "uniform"
    return is_even and pruning.source == SCRATCH and not pruning.recipe.distill


def _shared(tools: StudyTools, section: RowSection) -> dict[str, Any]:
    """Return the fields that every network to be pruned or grafted has."""
    return {
        "name": section.name,
        "recipe": _recipe(tools, tools.definition.recipe_of(section)),
        "is_donor": section in tools.definition.donors,
        "also_best_f1": section.also is not None,
    }


def _recipe(tools: StudyTools, fixed: Mapping[str, ParamValue]) -> Recipe:
    return complete_recipe(fixed, tools.inputs)
