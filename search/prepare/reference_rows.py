"""Makes and stores the rows beside a study's trials: parent, donors and controls, in the order of the definition."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace

from objectives.base import Direction
from search.prepare.cutting import load_or_measure_sensitivity
from search.prepare.inputs import complete_recipe, load_stock_detector
from search.prepare.lineage import (
    TrainedNetwork,
    ensure_grafted,
    ensure_parent,
    ensure_pruned,
    ensure_stock,
    is_parent_known,
    reference_row,
    train_ahead,
)
from search.prepare.row_plans import StudyTools, begins_fresh, grafting_of, pruning_of
from search.prepare.row_training import RowTrainer
from search.record.events import RecordStored
from search.record.number_text import duration
from search.record.trial import TrialRecord
from search.store.base import AlreadyStored, StudyEntry
from search.store.entries import TrainedEntry
from search.store.outage.among_all import once_among_all
from search.study.definition import StudyDefinition
from search.study.faults import ComeBackLater
from search.study.rows import PARENT_NAME, SCRATCH_NAME, RowSection
from search.trial.plan import excess_over
from spaces.base import SpaceError
from spaces.steps import note_step

DONOR_POLL_S = 0.2
"""Seconds between two looks whether another worker has trained a donor."""
REFERENCE_LATENCY = 1.1
"""Reference point of the hypervolume: a minimized objective's value, as a multiple of the parent's."""


def row_names(definition: StudyDefinition) -> set[str]:
    """Return the names of all reference rows of a study."""
    return {PARENT_NAME, *(name for row in (*definition.donors, *definition.controls) for name in row.names)}


def make_rows(tools: StudyTools, *, with_controls: bool) -> StudyEntry:
    """Find or train the study's reference rows and store them. Returns the study with its parent and donors frozen.

    Workers share the rows: each takes the next one that no other worker trains and whose sources are there.

    Args:
        with_controls: Whether this worker makes controls too, or donors only, because trials can begin with these. It
            waits for donors that another worker trains, but not for controls. While it would wait for the parent it
            trains a control all the same.
    """
    with ExitStack() as held:
        ahead = _rows_ahead(tools, held)
        maker = _maker_around_parent(tools, ahead)
        maker.store_ahead()
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


def _rows_ahead(tools: StudyTools, held: ExitStack) -> dict[str, tuple[TrialRecord, ...]]:
    """Train the first control that needs nothing of the trained parent while another worker trains that.

    Args:
        held: Holds the control's lock until its row is stored, so that no other worker trains it.
    """
    definition, initial = tools.definition, tools.inputs.parent
    rows, recipe = _fresh_rows(tools), complete_recipe(definition.parent.recipe.fixed, tools.inputs)
    with tools.store.exclusive_if_free(_lock_of(tools, PARENT_NAME)) as is_free:
        if is_free or is_parent_known(rows, recipe, is_trained=initial.is_trained, weights_hash=initial.weights_hash):
            return {}
    for section in definition.controls:
        if section.source != SCRATCH_NAME or section.graft is not None:
            continue
        pruning = pruning_of(tools, section, section.source)
        if begins_fresh(pruning) and held.enter_context(tools.store.exclusive_if_free(_lock_of(tools, section.name))):
            return {section.name: train_ahead(rows, pruning)}
    return {}


def _lock_of(tools: StudyTools, name: str) -> str:
    return f"row {tools.study.id} {name}"


def _fresh_rows(tools: StudyTools) -> RowTrainer:
    """Return a trainer around the untrained parent."""
    return RowTrainer(bench=tools.bench, say=tools.say, clock=tools.clock)


def _maker_around_parent(tools: StudyTools, ahead: dict[str, tuple[TrialRecord, ...]]) -> _RowMaker:
    """Return a maker of further rows, after the parent's row is stored and its facts are frozen."""
    with _after_parent(tools):
        root, parent = _root_of_study(tools)
        row = reference_row(root.rows.bench, parent)
        facts = {"parent": row.checkpoint, "reference_point": reference_point_of(tools.study, row)}
        frozen = replace(tools, study=tools.store.freeze(tools.study, facts))
        maker = _RowMaker(tools=frozen, roots={PARENT_NAME: root}, ahead=ahead)
        maker.add(row)
    return maker


@contextmanager
def _after_parent(tools: StudyTools) -> Iterator[None]:
    """Wait until the parent's row is stored, or hold its lock if nobody makes it.

    Raises:
        ComeBackLater: If another worker needs longer than this one waits.
    """
    store, study, began = tools.store, tools.study, time.monotonic()

    def is_stored() -> bool:
        stored = store.latest_study(study.name)
        is_frozen = stored is not None and stored.id == study.id and "reference_point" in stored.frozen
        return is_frozen and bool(store.records(study, names=[PARENT_NAME]))

    def go_on() -> None:
        if time.monotonic() - began >= tools.parent_wait_s:
            waited = duration(tools.parent_wait_s)
            raise ComeBackLater(
                f"another worker has trained the parent for longer than {waited} (--parent-wait); "
                "the same command continues when the parent is there"
            )

    with once_among_all(store, _lock_of(tools, PARENT_NAME), is_stored, go_on):
        yield


def _root_of_study(tools: StudyTools) -> tuple[_Root, TrainedNetwork]:
    """Return the trained parent with a trainer around it, and as a network; train it if it is missing."""
    bench, initial = tools.bench, tools.inputs.parent
    rows = _fresh_rows(tools)
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
        ahead: Rows that were trained before the parent was there, by the name of their section.
        entries: The network of each row so far.
    """

    tools: StudyTools
    roots: dict[str, _Root]
    ahead: dict[str, tuple[TrialRecord, ...]]
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
            with self.tools.store.exclusive_if_free(_lock_of(self.tools, section.name)) as is_held:
                if is_held:
                    self._make(section)
                    sections.remove(section)
                    return True
        return False

    def store_ahead(self) -> None:
        """Store the rows that were trained before the parent was there."""
        for section in self.tools.definition.controls:
            if section.name in self.ahead:
                self._make(section)

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
        self.tools.bench.kept.discard([row.name])

    def _ensure(self, section: RowSection) -> tuple[_Root, Iterable[TrainedNetwork]]:
        if section.graft is not None:
            root = self._root_of(section)
            grafting = grafting_of(self.tools, section, section.graft)
            return root, ensure_grafted(root.rows, grafting, root=root.entry, sources=self.entries)
        if section.source is not None:
            root, pruning = self._root_of(section), pruning_of(self.tools, section, section.source)
            rows = _fresh_rows(self.tools) if begins_fresh(pruning) else root.rows
            ahead = self.ahead.pop(section.name, None)
            return root, ensure_pruned(rows, pruning, root=root.entry, sources=self.entries, ahead=ahead)
        return self._ensure_stock(section)

    def _root_of(self, section: RowSection) -> _Root:
        roots = [self.roots[PARENT_NAME if name == SCRATCH_NAME else name] for name in section.sources]
        if len({root.entry.key for root in roots}) > 1:
            raise SpaceError(f"'{section.name}' joins {' and '.join(section.sources)}, which are of different networks")
        return roots[0]

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
