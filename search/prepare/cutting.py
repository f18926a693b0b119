"""Cuts by name: gathers what an allocation and a criterion need to know of the data, and remembers what is dear."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from objectives.training.gradients import gradients
from objectives.training.sensitivity import IMAGES, RATIOS, sensitivity
from search.cli.files import write_text
from spaces.allocation.allocation import Allocation, Cutter
from spaces.allocation.global_ranking import GlobalRanking
from spaces.allocation.sensitivity import SensitivityAllocation, SensitivityMap
from spaces.allocation.slimming import Slimming
from spaces.allocation.uniform import Uniform
from spaces.base import ArchSpec, Candidate, SpaceError
from spaces.networks.checkpoint import content_hash
from spaces.networks.cost_formula import CostFormula
from spaces.networks.parent import Parent
from spaces.ranking.criteria import Criterion
from spaces.ranking.importance import Scores, mean_scales, scores
from spaces.structure.groups import tied

if TYPE_CHECKING:
    from search.trial.workbench import Workbench

GRADIENT_BATCHES, GRADIENT_BATCH = 8, 8
COMPARABLE: tuple[Criterion, ...] = ("lamp", "taylor", "batchnorm")
"""Criteria whose scores rank channels of different groups as they are."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Rule:
    """How channels are chosen.

    Attributes:
        cut: `uniform`, `global`, `slimming` or `sensitivity`.
        multiple: Widths are multiples of this many channels.
    """

    cut: str
    criterion: Criterion
    multiple: int


def cutter_of(bench: Workbench, rule: Rule, candidate: Candidate, say: Say) -> Cutter:
    """Cuts a trained network of the bench's parent by a rule.

    Args:
        candidate: The parent or one of its donors.
        say: Told what takes long.

    Raises:
        SpaceError: If sensitivity is asked of a donor.
    """
    found = channel_scores(bench, rule, candidate)
    return Cutter(bench.parent, candidate, found, _allocation(bench, rule, candidate, say), rule.multiple)


def channel_scores(bench: Workbench, rule: Rule, candidate: Candidate) -> Scores:
    """Importance of each kept channel by the rule's criterion."""
    parent = bench.parent
    if rule.cut == "slimming":
        return mean_scales(candidate, parent, after_sparsity=True)  # the study's definition makes sure of that
    slopes = None
    if rule.criterion == "taylor":
        slopes = gradients(
            candidate,
            bench.data,
            imgsz=candidate.imgsz,
            batches=GRADIENT_BATCHES,
            batch=GRADIENT_BATCH,
            device=bench.device,
        )
    return scores(candidate, parent, rule.criterion, gradients=slopes, after_sparsity=True, seed=bench.seed)


def flops_of(parent: Parent) -> Callable[[ArchSpec], float]:
    """FLOPs of a spec at the parent's image size, by formula."""
    formula = CostFormula.of(parent)
    return lambda spec: float(formula.costs((spec,)).flops[0])


def sensitivity_map(
    bench: Workbench,
    multiple: int,
    say: Say,
    ratios: tuple[float, ...] | None = None,
    said: Callable[[int, int], None] | None = None,
) -> SensitivityMap:
    """The trained parent's sensitivity map, from the run folder if it was measured before.

    Args:
        said: Told how many cuts are done and how many there are; what it raises ends the measurement.
    """
    parent, ratios = bench.parent, ratios or RATIOS
    facts = [content_hash(parent.as_candidate()), bench.data.key, parent.imgsz, multiple, ratios, IMAGES]
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]
    file = bench.maps / f"{digest}.json"
    known = _read(file)
    if known is not None and known.values.keys() == tied(parent.groups).keys():
        return known
    say("measuring sensitivity")
    begun = time.monotonic()
    measured = sensitivity(
        parent,
        bench.data,
        imgsz=parent.imgsz,
        ratios=ratios,
        multiple=multiple,
        images=IMAGES,
        device=bench.device,
        said=said,
    )
    seconds = round(time.monotonic() - begun, 1)
    write_text(file, json.dumps({**dataclasses.asdict(measured), "seconds": seconds}, indent=1) + "\n")
    return measured


def _allocation(bench: Workbench, rule: Rule, candidate: Candidate, say: Say) -> Allocation:
    if rule.cut == "uniform":
        return Uniform()
    if rule.cut == "global":
        return GlobalRanking(relative=rule.criterion not in COMPARABLE)
    if rule.cut == "slimming":
        return Slimming()
    if not candidate.spec.is_whole:
        raise SpaceError("sensitivity is measured of the parent only; a donor cannot be cut by it")
    ties = {group.name: group.tie or group.name for group in bench.parent.groups}
    return SensitivityAllocation(sensitivity_map(bench, rule.multiple, say), ties)


def _read(file: Path) -> SensitivityMap | None:
    """A map that was measured before; None if there is none, or it cannot be read."""
    try:
        plain = json.loads(file.read_text(encoding="utf-8"))
        values = {name: tuple(row) for name, row in plain["values"].items()}
        return SensitivityMap(plain["measure"], plain["whole"], tuple(plain["ratios"]), values)
    except (OSError, ValueError, KeyError, TypeError):
        return None
