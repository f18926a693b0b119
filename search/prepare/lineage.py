"""Where a study comes from: its parent, the donors pruned from it round by round, and the controls.

Each is trained once and found again by the key of everything that made it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from objectives.recipe import Recipe
from search.prepare.pruning_round import Cut, cut_network
from search.prepare.row_training import Progress, checkpoint_of, found, key_of, make_all
from search.record.stopwatch import Stopwatch
from search.record.trial import TrialRecord
from search.store.entries import TrainedEntry
from search.trial.evaluate import measured_before
from search.trial.workbench import Workbench
from spaces.base import PARENT, SCRATCH
from spaces.networks.graft import Donor, graft
from spaces.networks.parent import Parent

PARENT_NAME = "parent"


@dataclass(frozen=True)
class Joined:
    """One network to be joined from two and trained: the backbone of one row, neck and detect of another."""

    name: str
    backbone: str
    head: str
    recipe: Recipe
    gives: bool
    also_f1: bool = False


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
    also_f1: bool = False


class Made(NamedTuple):
    """A trained network, and whether it was made now."""

    entry: TrainedEntry
    new: bool


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
    known = found(bench, key)
    if known is not None:
        return _around(bench, known), known, False
    candidate = bench.parent.candidate()
    trained_by = None if trained_already else recipe
    (made,) = make_all(bench, PARENT_NAME, candidate, trained_by, None, progress, inherited=False)
    assert made.checkpoint is not None
    entry = bench.store.add_trained(TrainedEntry(key, PARENT_NAME, made.checkpoint, None, made))
    return _around(bench, entry), entry, True


def ensure_cut(
    bench: Workbench, cut: Cut, root: TrainedEntry, sources: Mapping[str, TrainedEntry], progress: Progress
) -> tuple[Made, ...]:
    """A donor or a control: cut from its source and fine-tuned, unless it was before.

    Args:
        bench: Around the trained network that all of this is cut from: the study's parent, or a stock detector.
        root: That network's entry.
    """
    source = sources.get(cut.source)
    key = key_of(
        kind="cut",
        parent=root.key,
        source=source.key if source else cut.source,
        **cut.facts(),
        recipe=cut.recipe.as_plain(),
        seed=bench.seed,
        data=bench.data.key,
    )

    def make() -> tuple[TrialRecord, ...]:
        network = cut_network(bench, cut, source, root, progress)
        return make_all(
            bench,
            cut.name,
            network.candidate,
            cut.recipe,
            source.name if source else None,
            progress,
            inherited=cut.source != SCRATCH,
            also_f1=cut.also_f1,
            params=network.params,
            spent_s=network.spent_s,
        )

    lineage = source.key if source is not None and cut.gives else None
    return _once(bench, key, make, checkpoint_of(root), lineage, also_f1=cut.also_f1)


def ensure_joined(
    bench: Workbench, joined: Joined, root: TrainedEntry, sources: Mapping[str, TrainedEntry], progress: Progress
) -> tuple[Made, ...]:
    """A donor or a control: joined from two and fine-tuned, unless it was before."""
    backbone, head = sources[joined.backbone], sources[joined.head]
    key = key_of(
        kind="joined",
        parent=root.key,
        backbone=backbone.key,
        head=head.key,
        recipe=joined.recipe.as_plain(),
        seed=bench.seed,
        data=bench.data.key,
    )

    def make() -> tuple[TrialRecord, ...]:
        donors = donors_of(bench, {name: sources[name] for name in (joined.backbone, joined.head)}, root)
        candidate = graft(backbone=donors[joined.backbone], head=donors[joined.head], parent=bench.parent)
        names = f"{joined.backbone} + {joined.head}"
        return make_all(
            bench, joined.name, candidate, joined.recipe, names, progress, inherited=True, also_f1=joined.also_f1
        )

    lineage = backbone.key if joined.gives else None
    return _once(bench, key, make, checkpoint_of(root), lineage, also_f1=joined.also_f1)


def ensure_stock(bench: Workbench, stock: Stock, parent: TrainedEntry, progress: Progress) -> tuple[Made, ...]:
    """A detector of its own, trained unless it was before.

    Args:
        bench: Around the stock detector, untrained.
        parent: Of the study.
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

    def make() -> tuple[TrialRecord, ...]:
        candidate = stock.start.candidate()
        return make_all(
            bench, stock.name, candidate, stock.recipe, None, progress, inherited=False, also_f1=stock.also_f1
        )

    return _once(bench, key, make, checkpoint_of(parent), None, also_f1=stock.also_f1)


def _once(
    bench: Workbench,
    key: str,
    make: Callable[[], tuple[TrialRecord, ...]],
    parent: str,
    lineage: str | None,
    *,
    also_f1: bool,
) -> tuple[Made, ...]:
    """The network of that key, and that of its best F1 where it is wanted; made now unless all of it is there."""
    keys = (key, key_of(key=key, epoch="best_f1")) if also_f1 else (key,)
    known = [entry for each in keys if (entry := found(bench, each)) is not None]
    if len(known) == len(keys):
        return tuple(Made(entry, False) for entry in known)
    entries = [TrainedEntry(each, row.name, parent, lineage, row) for each, row in zip(keys, make(), strict=True)]
    return tuple(Made(bench.store.add_trained(entry), True) for entry in entries)


def donors_of(
    bench: Workbench, entries: Mapping[str, TrainedEntry], root: TrainedEntry | None = None
) -> dict[str, Donor]:
    """The networks of donors by name, as a graft space takes them.

    Args:
        root: What they were cut from, if that may be one of them.
    """
    checkpoints = {name: checkpoint_of(entry) for name, entry in entries.items() if entry != root}
    donors = {name: Donor(checkpoint, bench.checkpoints.get(checkpoint)) for name, checkpoint in checkpoints.items()}
    whole = {name: Donor(PARENT, bench.parent.as_candidate()) for name, entry in entries.items() if entry == root}
    return {**donors, **whole}


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


def _around(bench: Workbench, parent: TrainedEntry) -> Workbench:
    return bench.with_parent(bench.parent.with_weights(bench.checkpoints.get(checkpoint_of(parent))))
