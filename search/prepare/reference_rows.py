"""Makes and stores the rows beside a study's trials: parent, donors and controls, in the order of the definition."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from objectives.base import Direction
from objectives.recipe import Recipe
from search.prepare.cutting import ChannelRule, load_or_measure_sensitivity
from search.prepare.inputs import StudyInputs, complete_recipe, load_stock_detector
from search.prepare.lineage import (
    Grafting,
    TrainedNetwork,
    ensure_grafted,
    ensure_parent,
    ensure_pruned,
    ensure_stock,
    reference_row,
)
from search.prepare.pruning_round import FlopsPruning, Pruning, RatioPruning, ThresholdPruning
from search.prepare.row_training import RowTrainer
from search.record.events import RecordStored, Say
from search.record.stopwatch import Clock
from search.record.trial import TrialRecord
from search.store.base import AlreadyStored, Store, StudyEntry
from search.store.entries import TrainedEntry
from search.study.definition import StudyDefinition
from search.study.rows import PARENT_NAME, SCRATCH_NAME, GraftOf, RowSection
from search.trial.plan import excess_over
from search.trial.workbench import Workbench
from spaces.base import ParamValue, SpaceError
from spaces.steps import note_step

DONOR_POLL_S = 0.2
"""Seconds between two looks whether another worker has trained a donor."""
REFERENCE_LATENCY = 1.1
"""Reference point of the hypervolume: a minimized objective's value, as a multiple of the parent's."""


def row_names(definition: StudyDefinition) -> set[str]:
    """Return the names of all reference rows of a study."""
    return {PARENT_NAME, *(name for row in (*definition.donors, *definition.controls) for name in row.names)}


@dataclass(frozen=True)
class StudyTools:
    """A study, and what a process makes its rows with.

    Attributes:
        bench: The tools of this process, around the untrained parent.
        say: Receives an event at the start of each training, and for each row that is stored.
    """

    definition: StudyDefinition
    store: Store
    study: StudyEntry
    bench: Workbench
    inputs: StudyInputs
    say: Say
    clock: Clock


def make_rows(tools: StudyTools, *, with_controls: bool) -> StudyEntry:
    """Find or train the study's reference rows and store them. Returns the study with its parent and donors frozen.

    Workers share the rows: each takes the next one that no other worker trains and whose sources are there.

    Args:
        with_controls: Whether this worker makes controls too, or donors only, because trials can begin with these. It
            waits for donors that another worker trains, but not for controls.
    """
    maker = _maker_around_parent(tools)
    definition, store, study = tools.definition, tools.store, maker.tools.study
    donors, controls = list(definition.donors), list(definition.controls) if with_controls else []
    while donors or controls:
        if not maker.make_next(donors) and not maker.make_next(controls):
            if not donors:
                break  # the workers that train these controls store them
            note_step()
            time.sleep(DONOR_POLL_S)
    space = definition.space
    if space.needs_sensitivity_map:
        with store.exclusive(f"map {study.id}"):  # one worker measures it, and the others load it
            load_or_measure_sensitivity(
                maker.roots[PARENT_NAME].rows.bench,
                multiple=space.multiple,
                criterion=space.order_criterion,
                say=tools.say,
            )
    # The epoch with the best F1 is a row to compare with. As a donor it would be nearly the same as the last epoch.
    keys = {donor.name: maker.entries[donor.name].key for donor in definition.donors}
    return store.freeze(study, {"donors": keys})


def _maker_around_parent(tools: StudyTools) -> _RowMaker:
    """Return a maker of further rows, after the parent's row is stored and its facts are frozen."""
    with tools.store.exclusive(f"row {tools.study.id} {PARENT_NAME}"):
        root, parent = _root_of_study(tools)
        row = reference_row(root.rows.bench, parent)
        facts = {"parent": row.checkpoint, "reference_point": reference_point_of(tools.study, row)}
        frozen = replace(tools, study=tools.store.freeze(tools.study, facts))
        maker = _RowMaker(tools=frozen, roots={PARENT_NAME: root})
        maker.add(row)
    return maker


def _root_of_study(tools: StudyTools) -> tuple[_Root, TrainedNetwork]:
    """Return the trained parent with a trainer around it, and as a network; train it if it is missing."""
    bench, initial = tools.bench, tools.inputs.parent
    rows = RowTrainer(bench=bench, say=tools.say, clock=tools.clock)
    recipe = complete_recipe(tools.definition.parent.recipe.fixed, tools.inputs)
    parent = ensure_parent(rows, recipe, is_trained=initial.is_trained, weights_hash=initial.weights_hash)
    bench = bench.with_parent(bench.parent.with_weights(bench.checkpoints.get(parent.entry.checkpoint)))
    return _Root(replace(rows, bench=bench), parent.entry), parent


@dataclass(frozen=True)
class _Root:
    """A trained unpruned network that others are pruned from, with a trainer around it."""

    rows: RowTrainer
    entry: TrainedEntry


@dataclass(kw_only=True)
class _RowMaker:
    """Makes rows one after another; later ones may be made from earlier ones.

    Attributes:
        roots: For each row so far the unpruned network that it was pruned from.
        entries: The network of each row so far.
    """

    tools: StudyTools
    roots: dict[str, _Root]
    entries: dict[str, TrainedEntry] = field(init=False)

    def __post_init__(self) -> None:
        self.entries = {name: root.entry for name, root in self.roots.items()}

    def make_next(self, sections: list[RowSection]) -> bool:
        """Make the first of these rows that can be made now, and take it off the list. Return whether there was one.

        A row can be made if its sources are there and no other worker trains it.
        """
        for section in sections:
            if not all(name == SCRATCH_NAME or name in self.entries for name in section.sources):
                continue
            with self.tools.store.exclusive_if_free(f"row {self.tools.study.id} {section.name}") as is_held:
                if is_held:
                    self._make(section)
                    sections.remove(section)
                    return True
        return False

    def _make(self, section: RowSection) -> None:
        """Find or train the networks of one section, and store their rows."""
        root, networks = self._ensure(section)
        for network in networks:
            self.entries[network.entry.name], self.roots[network.entry.name] = network.entry, root
            self.add(reference_row(root.rows.bench, network))

    def add(self, row: TrialRecord) -> None:
        """Store a row, unless it was stored before a crash."""
        row = replace(row, constraints=excess_over(self.tools.definition.upper_limits, row.measurements))
        with suppress(AlreadyStored):
            front = self.tools.store.add(self.tools.study, row, None)
            self.tools.say(RecordStored(row, front is not None))

    def _ensure(self, section: RowSection) -> tuple[_Root, Iterable[TrainedNetwork]]:
        if section.graft is not None:
            root = self._root_of(section)
            grafting = self._grafting(section, section.graft)
            return root, ensure_grafted(root.rows, grafting, root=root.entry, sources=self.entries)
        if section.source is not None:
            root = self._root_of(section)
            pruning = self._pruning(section, section.source)
            return root, ensure_pruned(root.rows, pruning, root=root.entry, sources=self.entries)
        return self._ensure_stock(section)

    def _root_of(self, section: RowSection) -> _Root:
        roots = [self.roots[PARENT_NAME if name == SCRATCH_NAME else name] for name in section.sources]
        if len({root.entry.key for root in roots}) > 1:
            raise SpaceError(f"'{section.name}' joins {' and '.join(section.sources)}, which are of different networks")
        return roots[0]

    def _grafting(self, section: RowSection, graft: GraftOf) -> Grafting:
        return Grafting(backbone=graft.backbone, head=graft.head, **self._shared(section))

    def _pruning(self, section: RowSection, source: str) -> Pruning:
        multiple = self.tools.definition.space.multiple
        shared = {**self._shared(section), "source": source}
        if section.threshold is not None and section.ratio is not None:
            sparse = self._recipe(self.tools.definition.sparse_recipe_of(section))
            return ThresholdPruning(
                threshold=section.threshold, ratio=section.ratio, multiple=multiple, sparse=sparse, **shared
            )
        rule = ChannelRule(section.cut, section.criterion, multiple)
        if section.flops is not None:
            return FlopsPruning(rule=rule, flops=section.flops, **shared)
        if section.ratio is not None:
            return RatioPruning(rule=rule, ratio=section.ratio, **shared)
        raise ValueError(f"'{section.name}' has neither ratio nor flops; it cannot be pruned")

    def _shared(self, section: RowSection) -> dict[str, Any]:
        """Return the fields that every network to be pruned or grafted has."""
        return {
            "name": section.name,
            "recipe": self._recipe(self.tools.definition.recipe_of(section)),
            "is_donor": section in self.tools.definition.donors,
            "also_best_f1": section.also is not None,
        }

    def _recipe(self, fixed: Mapping[str, ParamValue]) -> Recipe:
        return complete_recipe(fixed, self.tools.inputs)

    def _ensure_stock(self, section: RowSection) -> tuple[_Root, Iterable[TrainedNetwork]]:
        """Return a stock detector as the root of what is pruned from it, and its networks."""
        rows = self.roots[PARENT_NAME].rows
        bench = rows.bench
        stock = load_stock_detector(self.tools.definition, section, self.tools.inputs)
        around = bench.with_parent(stock.parent)
        networks = ensure_stock(replace(rows, bench=around), stock, self.roots[PARENT_NAME].entry)
        entry = networks[0].entry
        trained = around.with_parent(stock.parent.with_weights(bench.checkpoints.get(entry.checkpoint)))
        return _Root(replace(rows, bench=trained), entry), networks


def reference_point_of(study: StudyEntry, parent: TrialRecord) -> list[float]:
    """Return the hypervolume's reference point: 0 for what is maximized, a multiple of the parent's value otherwise."""
    point = []
    for name, direction in study.objectives:
        value = parent.value(name)
        if value is None:
            raise SpaceError(f"objective '{name}' was not measured of the parent")
        point.append(0.0 if direction is Direction.MAXIMIZE else REFERENCE_LATENCY * value)
    return point
