"""Where a study comes from: its parent, the donors pruned from it round by round, and the controls.

Each is trained once and found again by the key of everything that made it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from objectives.recipe import Recipe
from search.cutting import Rule, cutter_of, flops_of
from search.evaluate import identity_of, measured_before, scored
from search.record import Outcome, TrialRecord
from search.stopwatch import Stopwatch
from search.store.entries import TrainedEntry
from search.workbench import Workbench
from spaces.base import PARENT, SCRATCH, Candidate, Origin
from spaces.graft import Donor
from spaces.parent import Parent

PARENT_NAME = "parent"


@dataclass(frozen=True)
class Cut:
    """One network to be cut and trained: a round of pruning, or a control.

    Attributes:
        source: Name of what it is cut from: `parent` or an earlier cut; `scratch` cuts the parent's structure
            and starts from fresh weights.
        ratio: Share of the source's channels that stay, in (0, 1]; None where `flops` is given.
        flops: Share of the source's FLOPs that stays, in (0, 1].
        gives: Whether it is a donor; a control gives nothing to others.
    """

    name: str
    source: str
    ratio: float | None
    flops: float | None
    rule: Rule
    recipe: Recipe
    gives: bool

    def facts(self) -> dict[str, Any]:
        """What of it goes into its key. Fields that came later only where they are used, so that keys last."""
        facts: dict[str, Any] = {"ratio": self.ratio, "multiple": self.rule.multiple}
        if (self.rule.cut, self.rule.criterion) != ("uniform", "l2"):
            facts |= {"cut": self.rule.cut, "criterion": self.rule.criterion}
        return facts if self.flops is None else {**facts, "flops": self.flops}


@dataclass(frozen=True)
class Stock:
    """A detector of its own, trained whole: a point to compare with.

    Attributes:
        start: Before its training.
        weights_hash: Content hash of the weights that it starts from, if any.
    """

    name: str
    start: Parent
    weights_hash: str | None
    recipe: Recipe


@dataclass(frozen=True)
class Progress:
    """How the makers of networks say what they do and what time it is."""

    say: Callable[[str], None]
    clock: Callable[[], datetime]


def key_of(**facts: Any) -> str:
    """Hash of everything that made a network."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:32]


def ensure_parent(
    bench: Workbench, recipe: Recipe, *, trained_already: bool, weights_hash: str | None, progress: Progress
) -> tuple[Workbench, TrainedEntry, bool]:
    """The trained parent, trained now unless it was before.

    Args:
        trained_already: The weights given are those of a detector for the same classes: the parent as it is.
        weights_hash: Content hash of the weights file it starts from, if any.

    Returns:
        The workbench around the trained parent, its entry, and whether it was made now.
    """
    key = key_of(
        kind=PARENT_NAME,
        data=bench.data.key,
        structure=bench.parent.key,
        imgsz=bench.parent.imgsz,
        weights=weights_hash,
        recipe=None if trained_already else recipe.as_plain(),
        seed=None if trained_already else bench.seed,
    )
    found = _found(bench, key)
    if found is not None:
        return _around(bench, found), found, False
    candidate = bench.parent.candidate()
    made = make(bench, PARENT_NAME, candidate, None if trained_already else recipe, None, progress, inherited=False)
    assert made.checkpoint is not None
    entry = bench.store.add_trained(TrainedEntry(key, PARENT_NAME, made.checkpoint, None, made))
    return _around(bench, entry), entry, True


def ensure_cut(
    bench: Workbench, cut: Cut, parent: TrainedEntry, sources: Mapping[str, TrainedEntry], progress: Progress
) -> tuple[TrainedEntry, bool]:
    """A donor or a control: cut from its source and fine-tuned, unless it was before.

    Returns:
        The entry, and whether it was made now.
    """
    source = sources.get(cut.source)
    key = key_of(
        kind="cut",
        parent=parent.key,
        source=source.key if source else cut.source,
        **cut.facts(),
        recipe=cut.recipe.as_plain(),
        seed=bench.seed,
        data=bench.data.key,
    )
    found = _found(bench, key)
    if found is not None:
        return found, False
    candidate = _cut_network(bench, cut, source, progress)
    made_from, inherited = source.name if source else None, cut.source != SCRATCH
    made = make(bench, cut.name, candidate, cut.recipe, made_from, progress, inherited=inherited)
    lineage = source.key if source is not None and cut.gives else None
    return bench.store.add_trained(TrainedEntry(key, cut.name, _checkpoint(parent), lineage, made)), True


def ensure_stock(bench: Workbench, stock: Stock, parent: TrainedEntry, progress: Progress) -> tuple[TrainedEntry, bool]:
    """A detector of its own, trained unless it was before.

    Returns:
        The entry, and whether it was made now.
    """
    key = key_of(
        kind="stock",
        data=bench.data.key,
        structure=stock.start.key,
        imgsz=stock.recipe.imgsz,
        weights=stock.weights_hash,
        recipe=stock.recipe.as_plain(),
        seed=bench.seed,
    )
    found = _found(bench, key)
    if found is not None:
        return found, False
    made = make(bench, stock.name, stock.start.candidate(), stock.recipe, None, progress, inherited=False)
    return bench.store.add_trained(TrainedEntry(key, stock.name, _checkpoint(parent), None, made)), True


def donors_of(bench: Workbench, entries: Mapping[str, TrainedEntry]) -> dict[str, Donor]:
    """The networks of donors by name, as a graft space takes them."""
    checkpoints = {name: _checkpoint(entry) for name, entry in entries.items()}
    return {name: Donor(checkpoint, bench.checkpoints.get(checkpoint)) for name, checkpoint in checkpoints.items()}


def reference_row(bench: Workbench, entry: TrainedEntry, *, made_now: bool) -> TrialRecord:
    """A parent's, donor's or control's record as it stands in this study: on its target, with its thresholds."""
    record = entry.record
    assert record.checkpoint is not None
    candidate = bench.checkpoints.get(record.checkpoint)
    watch = Stopwatch()
    measured = (*measured_before(bench, candidate, watch), *bench.further_latencies(candidate))
    if any((e.confidence, e.iou) != (bench.confidence, bench.iou) for e in record.evaluations):
        evaluations = tuple(bench.evaluate(candidate, split) for split in bench.scored_splits)
    else:
        evaluations = record.evaluations
    seconds = {**record.seconds} if made_now else {}  # time that an earlier study spent is not this one's
    return replace(record, measurements=measured, evaluations=evaluations, seconds=seconds)


def _found(bench: Workbench, key: str) -> TrainedEntry | None:
    entry = bench.store.find_trained(key)
    if entry is None or entry.record.checkpoint is None or entry.record.checkpoint not in bench.checkpoints:
        return None  # its weights were deleted: make it again
    return entry


def _around(bench: Workbench, parent: TrainedEntry) -> Workbench:
    return bench.with_parent(bench.parent.with_weights(bench.checkpoints.get(_checkpoint(parent))))


def _cut_network(bench: Workbench, cut: Cut, source: TrainedEntry | None, progress: Progress) -> Candidate:
    layers = len(bench.parent.layer_sections)
    whole = source is None or source.name == PARENT_NAME
    donor = bench.parent.as_candidate() if whole or source is None else bench.checkpoints.get(_checkpoint(source))
    cutter = cutter_of(bench, cut.rule, donor, progress.say)
    if cut.flops is None:
        assert cut.ratio is not None
        spec = cutter.spec(cut.ratio)
    else:
        spec = cutter.at_share(cut.flops, flops_of(bench.parent))
    if whole or source is None:
        return bench.parent.build(spec, Origin((SCRATCH if cut.source == SCRATCH else PARENT,) * layers))
    checkpoint = _checkpoint(source)
    return bench.parent.build(spec, Origin((checkpoint,) * layers), {checkpoint: donor})


def _checkpoint(entry: TrainedEntry) -> str:
    assert entry.record.checkpoint is not None
    return entry.record.checkpoint


def make(
    bench: Workbench,
    name: str,
    candidate: Candidate,
    recipe: Recipe | None,
    lineage: str | None,
    progress: Progress,
    *,
    inherited: bool,
) -> TrialRecord:
    """A reference row: train (if there is a recipe), save, reload, score.

    Args:
        lineage: Name of what it was made from.
        inherited: Its weights come from a wider network: BatchNorm is re-estimated first.
    """
    if recipe is not None:
        candidate = replace(candidate, imgsz=recipe.imgsz)
    watch = Stopwatch()
    how = None if recipe is None else identity_of(candidate.spec, candidate.origin, recipe, bench.seed)
    begun = TrialRecord(
        number=None,
        name=name,
        outcome=Outcome.COMPLETE,
        reason="",
        params={},
        spec=candidate.spec,
        origin=candidate.origin,
        identity=how or key_of(name=name),
        recipe={} if recipe is None else recipe.as_plain(),
        seed=bench.seed,
        lineage=lineage,
        started=progress.clock(),
    )
    measured = measured_before(bench, candidate, watch)
    begun = replace(begun, measurements=measured)
    if recipe is not None:
        progress.say(f"training {name}")
        with watch.phase("training"):
            result = bench.train(candidate, recipe, None, bench.parent.candidate(), inherited=inherited)
        candidate, begun = result.candidate, replace(begun, rungs=result.history)
    progress.say(f"scoring {name}")
    done = scored(bench, begun, candidate, watch)
    return replace(done, seconds=watch.seconds(), finished=progress.clock())
