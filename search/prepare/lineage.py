"""Finds or trains the networks that a study is based on: its parent, the donors pruned from it, and the controls.

Each is trained once, and found later by a key: the hash of everything that it was made from.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from objectives.base import Evaluation, Measurement
from objectives.quantities import quantity_named
from objectives.recipe import Recipe
from search.prepare.pruning_round import Pruning
from search.prepare.row_training import RowTrainer, key_of
from search.record.ancestors import joined_lines
from search.record.stopwatch import Stopwatch
from search.record.trial import TrialRecord
from search.store.entries import TrainedEntry
from search.study.rows import PARENT_NAME
from search.trial.network_steps import measure_after_training, measure_before_training
from search.trial.workbench import Workbench
from spaces.base import PARENT, SCRATCH, Candidate
from spaces.networks.graft import Donor, graft
from spaces.networks.parent import Parent


@dataclass(frozen=True, kw_only=True)
class Grafting:
    """One network to be joined from two others and trained: the backbone of one row, neck and detect of another.

    Attributes:
        backbone: Name of the row that gives the backbone.
        head: Name of the row that gives neck and detect.
        is_donor: Whether other networks may inherit its weights; False for a control.
        also_best_f1: Whether the epoch with the best F1 is a row too.
    """

    name: str
    backbone: str
    head: str
    recipe: Recipe
    is_donor: bool
    also_best_f1: bool = False


@dataclass(frozen=True, kw_only=True)
class StockDetector:
    """An unpruned detector of another model, to be trained as a point to compare with.

    Attributes:
        parent: Its structure and its weights before the training.
        weights_hash: Content hash of the weights file that it starts from; None if it starts from fresh weights.
        also_best_f1: Whether the epoch with the best F1 is a row too.
    """

    name: str
    parent: Parent
    weights_hash: str | None
    recipe: Recipe
    also_best_f1: bool = False


class TrainedNetwork(NamedTuple):
    """A trained network, and whether it was trained now."""

    entry: TrainedEntry
    is_new: bool


def ensure_parent(rows: RowTrainer, recipe: Recipe, *, is_trained: bool, weights_hash: str | None) -> TrainedNetwork:
    """Return the trained parent; train it now unless it was trained before.

    Args:
        is_trained: Whether the given weights are a detector for the same classes: they are the parent as they are.
        weights_hash: Content hash of the weights file that it starts from, if any.
    """
    bench, key = rows.bench, _parent_key(rows, recipe, is_trained=is_trained, weights_hash=weights_hash)
    known = rows.find(key)
    if known is not None:
        return TrainedNetwork(known, False)
    candidate = bench.parent.candidate()
    (record,) = rows.train(PARENT_NAME, candidate, None if is_trained else recipe, lineage=None, inherited=False)
    entry = TrainedEntry(key=key, name=PARENT_NAME, parent=record.saved_checkpoint, lineage=None, record=record)
    return TrainedNetwork(bench.store.add_trained(entry), True)


def is_parent_known(rows: RowTrainer, recipe: Recipe, *, is_trained: bool, weights_hash: str | None) -> bool:
    """Return whether the parent needs no training; the arguments are those of `ensure_parent`."""
    return is_trained or rows.find(_parent_key(rows, recipe, is_trained=False, weights_hash=weights_hash)) is not None


def _parent_key(rows: RowTrainer, recipe: Recipe, *, is_trained: bool, weights_hash: str | None) -> str:
    bench = rows.bench
    return key_of(
        kind=PARENT_NAME,
        data=bench.training.data.key,
        structure=bench.parent.key,
        imgsz=bench.parent.imgsz,
        weights=weights_hash,
        recipe=None if is_trained else recipe.as_plain(),
        seed=None if is_trained else bench.training.seed,
    )


def ensure_pruned(
    rows: RowTrainer,
    pruning: Pruning,
    *,
    root: TrainedEntry,
    sources: Mapping[str, TrainedEntry],
    ahead: tuple[TrialRecord, ...] | None = None,
) -> tuple[TrainedNetwork, ...]:
    """Return a pruned and fine-tuned network; prune and train it now unless that was done before.

    Args:
        rows: Its workbench has the trained network that all of this is pruned from: the parent, or a stock detector.
        root: That network's entry.
        sources: Networks by the name of their row.
        ahead: Its row, or two rows, if it was trained before the root was there.
    """
    bench = rows.bench
    source = sources.get(pruning.source)
    key = key_of(
        kind="cut",
        parent=root.key,
        source=source.key if source else pruning.source,
        **pruning.facts(),
        recipe=pruning.recipe.as_plain(),
        seed=bench.training.seed,
        data=bench.training.data.key,
    )

    def train() -> tuple[TrialRecord, ...]:
        return ahead or _train_pruned(rows, pruning, source, root)

    lineage = source.key if source is not None and pruning.is_donor else None
    return _find_or_train(
        rows, key=key, train=train, parent=root.checkpoint, lineage=lineage, also_best_f1=pruning.also_best_f1
    )


def train_ahead(rows: RowTrainer, pruning: Pruning) -> tuple[TrialRecord, ...]:
    """Train a network that needs nothing of the trained parent (`begins_fresh`), before that is there.

    Args:
        rows: Its workbench has the untrained parent.
    """
    return _train_pruned(rows, pruning, None, None)


def _train_pruned(
    rows: RowTrainer, pruning: Pruning, source: TrainedEntry | None, root: TrainedEntry | None
) -> tuple[TrialRecord, ...]:
    network = pruning.prune(rows, source, root)
    return rows.train(
        pruning.name,
        network.candidate,
        pruning.recipe,
        lineage=source.name if source else None,
        inherited=pruning.source != SCRATCH,
        also_best_f1=pruning.also_best_f1,
        params=network.params,
        ancestors=network.ancestors,
        earlier_training_s=network.earlier_training_s,
    )


def ensure_grafted(
    rows: RowTrainer, grafting: Grafting, *, root: TrainedEntry, sources: Mapping[str, TrainedEntry]
) -> tuple[TrainedNetwork, ...]:
    """Return a network joined from two and fine-tuned; join and train it now unless that was done before."""
    bench = rows.bench
    backbone, head = sources[grafting.backbone], sources[grafting.head]
    key = key_of(
        kind="joined",
        parent=root.key,
        backbone=backbone.key,
        head=head.key,
        recipe=grafting.recipe.as_plain(),
        seed=bench.training.seed,
        data=bench.training.data.key,
    )

    def train() -> tuple[TrialRecord, ...]:
        donors = load_donors(bench, {name: sources[name] for name in (grafting.backbone, grafting.head)}, root)
        candidate = graft(backbone=donors[grafting.backbone], head=donors[grafting.head], parent=bench.parent)
        return rows.train(
            grafting.name,
            candidate,
            grafting.recipe,
            lineage=f"{grafting.backbone} + {grafting.head}",
            inherited=True,
            ancestors=joined_lines(*(entry.record.line for entry in (backbone, head) if entry != root)),
            also_best_f1=grafting.also_best_f1,
        )

    lineage = backbone.key if grafting.is_donor else None
    return _find_or_train(
        rows, key=key, train=train, parent=root.checkpoint, lineage=lineage, also_best_f1=grafting.also_best_f1
    )


def ensure_stock(rows: RowTrainer, stock: StockDetector, parent: TrainedEntry) -> tuple[TrainedNetwork, ...]:
    """Return a trained stock detector; train it now unless it was trained before.

    Args:
        rows: Its workbench has the stock detector as its parent.
        parent: The study's parent.
    """
    key = key_of(
        kind="stock",
        data=rows.bench.training.data.key,
        structure=stock.parent.key,
        imgsz=stock.recipe.imgsz,
        weights=stock.weights_hash,
        recipe=stock.recipe.as_plain(),
        seed=rows.bench.training.seed,
    )

    def train() -> tuple[TrialRecord, ...]:
        candidate = stock.parent.candidate()
        return rows.train(
            stock.name, candidate, stock.recipe, lineage=None, inherited=False, also_best_f1=stock.also_best_f1
        )

    return _find_or_train(
        rows, key=key, train=train, parent=parent.checkpoint, lineage=None, also_best_f1=stock.also_best_f1
    )


def _find_or_train(
    rows: RowTrainer,
    *,
    key: str,
    train: Callable[[], tuple[TrialRecord, ...]],
    parent: str,
    lineage: str | None,
    also_best_f1: bool,
) -> tuple[TrainedNetwork, ...]:
    """Return the network of that key, and its epoch with the best F1 if asked; train if one of them is missing."""
    keys = (key, key_of(key=key, epoch="best_f1")) if also_best_f1 else (key,)
    known = [entry for each in keys if (entry := rows.find(each)) is not None]
    if len(known) == len(keys):
        return tuple(TrainedNetwork(entry, False) for entry in known)
    entries = [
        TrainedEntry(key=each, name=row.name, parent=parent, lineage=lineage, record=row)
        for each, row in zip(keys, train(), strict=True)
    ]
    return tuple(TrainedNetwork(rows.bench.store.add_trained(entry), True) for entry in entries)


def load_donors(
    bench: Workbench, entries: Mapping[str, TrainedEntry], root: TrainedEntry | None = None
) -> dict[str, Donor]:
    """Return the networks of these entries by name, as donors of a graft.

    Args:
        root: The network that they were pruned from, if it may be one of them.
    """
    checkpoints = {name: entry.checkpoint for name, entry in entries.items() if entry != root}
    donors = {name: Donor(checkpoint, bench.checkpoints.get(checkpoint)) for name, checkpoint in checkpoints.items()}
    whole = {name: Donor(PARENT, bench.parent.as_candidate()) for name, entry in entries.items() if entry == root}
    return {**donors, **whole}


def reference_row(bench: Workbench, network: TrainedNetwork) -> TrialRecord:
    """Return a network's record for this study: with latencies on its targets, and accuracy at its thresholds."""
    record = network.entry.record
    candidate = bench.checkpoints.get(network.entry.checkpoint)
    watch = Stopwatch()
    measured = (*measure_before_training(bench, candidate, watch), *bench.latencies.measure_further(candidate))
    evaluations, further = accuracies_of(bench, record, candidate)
    seconds = {**record.seconds} if network.is_new else {}  # seconds that an earlier study spent do not count here
    return replace(record, measurements=(*measured, *further), evaluations=evaluations, seconds=seconds)


def accuracies_of(
    bench: Workbench, record: TrialRecord, candidate: Candidate
) -> tuple[tuple[Evaluation, ...], tuple[Measurement, ...]]:
    """Return what this study measures of a trained network: the stored figures, if they hold all of it."""
    asked = [quantity.name for objective in bench.after_training for quantity in objective.quantities]
    here = (bench.training.confidence, bench.training.iou)
    if any((each.confidence, each.iou) != here for each in record.evaluations):
        return measure_after_training(bench, candidate)
    if any(record.value(name) is None for name in asked):  # the study that made it asked for less
        return measure_after_training(bench, candidate)
    targets = (None, *(file.target.key for file in bench.training.files.values()))
    if any(figure.target not in targets for figure in record.measurements if _is_of(figure, asked)):
        return measure_after_training(bench, candidate)
    return record.evaluations, tuple(each for each in record.measurements if _is_of(each, asked))


def _is_of(figure: Measurement, asked: Collection[str]) -> bool:
    return quantity_named(figure.name).name in asked
