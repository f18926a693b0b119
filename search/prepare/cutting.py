"""Builds a cutter from the names in a study: scores channels, measures sensitivity, and stores what is expensive."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from objectives.training.sensitivity import IMAGES, RATIOS, sensitivity
from search.prepare.channel_scores import score_channels
from search.record.events import Activity, Say
from search.study.cuts import COMPARABLE
from search.trial.workbench import Workbench
from spaces.allocation.allocation import Allocation, Cutter
from spaces.allocation.global_ranking import GlobalRanking
from spaces.allocation.sensitivity import SensitivityAllocation, SensitivityMap
from spaces.allocation.slimming import Slimming
from spaces.allocation.uniform import Uniform
from spaces.base import ArchSpec, Candidate, SpaceError
from spaces.durable import write_text
from spaces.foreign.plain_json import read_json_file
from spaces.networks.checkpoint import content_hash
from spaces.networks.cost_formula import CostFormula
from spaces.networks.parent import Parent
from spaces.ranking.criteria import Criterion
from spaces.ranking.importance import best_first, mean_scales
from spaces.structure.groups import tied


@dataclass(frozen=True)
class ChannelRule:
    """Rule by which channels are selected.

    Attributes:
        cut: How many channels each group keeps: `uniform`, `global`, `slimming` or `sensitivity`.
        criterion: What makes a channel important.
        multiple: Widths are multiples of this number of channels.
    """

    cut: str
    criterion: Criterion
    multiple: int


def build_cutter(bench: Workbench, rule: ChannelRule, candidate: Candidate, say: Say) -> Cutter:
    """Return a cutter that cuts a trained network by a rule.

    Args:
        candidate: The trained parent, or a network pruned from it.
        say: Receives an event before a measurement that takes long.

    Raises:
        SpaceError: If the rule is `sensitivity` and the network is not the parent.
    """
    if rule.cut == "slimming":
        found = mean_scales(candidate, bench.parent, after_sparsity=True)  # the study's definition requires that
    else:
        found = score_channels(bench, rule.criterion, candidate)
    return Cutter(bench.parent, candidate, found, _allocation(bench, rule, candidate, say), rule.multiple)


def flops_function(parent: Parent) -> Callable[[ArchSpec], float]:
    """Return a function from a spec to its FLOPs at the parent's image size, by formula."""
    formula = CostFormula.of(parent)
    return lambda spec: float(formula.costs((spec,)).flops[0])


def load_or_measure_sensitivity(
    bench: Workbench,
    *,
    multiple: int,
    criterion: Criterion,
    say: Say,
    ratios: tuple[float, ...] | None = None,
    images: int = IMAGES,
    on_progress: Callable[[int, int], None] | None = None,
) -> SensitivityMap:
    """Return the trained parent's sensitivity map: from the run folder, or measured and stored there.

    Args:
        multiple: Widths are multiples of this number of channels.
        criterion: What makes a channel important; the least important ones are cut.
        ratios: Shares of channels that each group is cut to; `RATIOS` by default.
        images: Number of training images for statistics, and of those that the loss is measured on.
        on_progress: Called with the number of cuts measured and the number of all cuts. An exception that it raises
            ends the measurement.
    """
    parent, ratios = bench.parent, ratios or RATIOS
    facts = [content_hash(parent.as_candidate()), bench.training.data.key, parent.imgsz, multiple, ratios, images]
    facts += [criterion] if criterion != "l2" else []  # maps from before there was a choice are found again
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]
    file = bench.maps / f"{digest}.json"
    known = _read_map(file)
    if known is not None and known.values.keys() == tied(parent.groups).keys():
        return known
    say(Activity("measuring sensitivity"))
    begun = time.monotonic()
    measured = sensitivity(
        parent,
        bench.training.data,
        imgsz=parent.imgsz,
        orders=best_first(score_channels(bench, criterion, parent.as_candidate())),
        ratios=ratios,
        multiple=multiple,
        images=images,
        device=bench.training.device,
        progress=on_progress,
    )
    seconds = round(time.monotonic() - begun, 1)
    write_text(file, json.dumps({**dataclasses.asdict(measured), "seconds": seconds}, indent=1) + "\n")
    return measured


def _allocation(bench: Workbench, rule: ChannelRule, candidate: Candidate, say: Say) -> Allocation:
    if rule.cut == "uniform":
        return Uniform()
    if rule.cut == "global":
        return GlobalRanking(relative=rule.criterion not in COMPARABLE)
    if rule.cut == "slimming":
        return Slimming()
    if not candidate.spec.is_whole:
        raise SpaceError("sensitivity is measured for the parent only; a donor cannot be cut by it")
    ties = {group.name: group.tie or group.name for group in bench.parent.groups}
    return SensitivityAllocation(_map_of(bench, rule, say), ties)


def _map_of(bench: Workbench, rule: ChannelRule, say: Say) -> SensitivityMap:
    return load_or_measure_sensitivity(bench, multiple=rule.multiple, criterion=rule.criterion, say=say)


def _read_map(file: Path) -> SensitivityMap | None:
    """Return a stored map; None if there is none, or it cannot be read."""
    try:
        plain = read_json_file(file)
        values = {name: tuple(row) for name, row in plain["values"].items()}
        return SensitivityMap(plain["measure"], plain["whole"], tuple(plain["ratios"]), values)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
