"""Rows that no study can define: a shape cut from the parent, and further cuts of networks by hand. Imports torch."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.compounding.arm_records import SHARE_SEPARATOR
from benchmarks.compounding.arms import ALONE, THINNER
from objectives.recipe import Recipe
from search.cli.stored_study import existing_store, find_study
from search.finish.trained_workbench import open_trained_workbench
from search.prepare.channel_scores import score_channels
from search.prepare.cutting import ChannelRule
from search.prepare.pruning_round import FlopsPruning, PrunedNetwork
from search.prepare.row_training import RowTrainer
from search.record.events import as_lines
from search.record.folders import RunFolder
from search.record.trial import TrialRecord
from search.store.entries import TrainedEntry
from search.study.rows import PARENT_NAME
from spaces.base import ArchSpec, ParamValue
from spaces.ranking.importance import best_first
from spaces.ranking.widths import select

THINNER_SHARES = (0.75, 0.5, 0.35)
"""Shares of the FLOPs of a network by hand that its thinner cuts keep."""
TAYLOR_RULE = ChannelRule("global", "taylor", 8)


@dataclass(frozen=True)
class _Row:
    """A row to be trained.

    Attributes:
        made_from: Name of what it is cut from.
        prune: Returns the untrained network.
    """

    name: str
    made_from: str
    recipe: Recipe
    prune: Callable[[RowTrainer, TrialRecord], PrunedNetwork]


def train_alone(folder: Path, storage: str, chosen: TrialRecord, recipe: Mapping[str, ParamValue]) -> None:
    """Cut the parent to the shape of a chosen network, keeping the best channels by Taylor scores, and train it."""

    def prune(rows: RowTrainer, _parent: TrialRecord) -> PrunedNetwork:
        spec = chosen.spec
        if spec is None:
            raise ValueError(f"'{chosen.name}' has no network; no shape can be taken from it")
        orders = best_first(score_channels(rows.bench, "taylor", rows.bench.parent.as_candidate()))
        return PrunedNetwork(rows.bench.parent.build(cut_to_shape(rows, spec, orders)))

    _train(folder, storage, ALONE, [_Row(ALONE, chosen.name, Recipe.from_plain(recipe), prune)])


def cut_to_shape(rows: RowTrainer, shape: ArchSpec, orders: Mapping[str, tuple[int, ...]]) -> ArchSpec:
    """Return the spec with the widths and bottlenecks of a shape and the first channels of each order."""
    parent = rows.bench.parent
    widths = {name: len(kept) for name, kept in zip(shape.groups, shape.kept, strict=True)}
    return parent.structure.spec(select(parent.groups, orders, widths), shape.dropped)


def train_thinner(folder: Path, storage: str, finals: Mapping[str, TrialRecord], epochs: int) -> None:
    """Cut each network by hand to several shares of its FLOPs, and train the results shortly."""
    rows = [
        _thinner_row(arm, final, share, Recipe.from_plain({**final.recipe, "epochs": epochs}))
        for arm, final in finals.items()
        for share in THINNER_SHARES
    ]
    _train(folder, storage, THINNER, rows)


def _thinner_row(arm: str, final: TrialRecord, share: float, recipe: Recipe) -> _Row:
    name = f"{arm}{SHARE_SEPARATOR}{share:g}"

    def prune(rows: RowTrainer, parent: TrialRecord) -> PrunedNetwork:
        source, root = _entry(arm, final, parent), _entry(PARENT_NAME, parent, parent)
        pruning = FlopsPruning(name=name, source=arm, recipe=recipe, is_donor=False, rule=TAYLOR_RULE, flops=share)
        pruned = pruning.prune(rows, source, root)
        return PrunedNetwork(pruned.candidate)  # its ancestors are counted for the arm that made them

    return _Row(name, arm, recipe, prune)


def _entry(name: str, record: TrialRecord, parent: TrialRecord) -> TrainedEntry:
    return TrainedEntry(key=name, name=name, parent=parent.saved_checkpoint, lineage=None, record=record)


def _train(folder: Path, storage: str, study_name: str, wanted: list[_Row]) -> None:
    """Train the rows that are not stored yet, and store each."""
    say, run_folder = as_lines(lambda line: print(line, flush=True)), RunFolder(folder)
    with existing_store(storage) as store, tempfile.TemporaryDirectory(prefix="compound-") as scratch:
        study = find_study(store, study_name)
        records = {record.name: record for record in store.records(study)}
        missing = [row for row in wanted if row.name not in records]
        if not missing:
            return
        with (
            store.exclusive(f"rows of {study.id}"),
            open_trained_workbench(store, study, run_folder, "cpu", Path(scratch), say) as bench,
        ):
            rows = RowTrainer(bench=bench, say=say)
            for row in missing:
                pruned = row.prune(rows, records[PARENT_NAME])
                (record,) = rows.train(row.name, pruned.candidate, row.recipe, lineage=row.made_from, inherited=True)
                store.add(study, record, None)
