"""Makes the rows that stand beside a study's trials: parent, donors and controls, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from objectives.base import Direction
from objectives.cost import count_parameters
from search.prepare.cutting import Rule, sensitivity_map
from search.prepare.inputs import Start, recipe_of, stock_of
from search.prepare.layout import wants_map
from search.prepare.lineage import Joined, Made, ensure_cut, ensure_joined, ensure_parent, ensure_stock, reference_row
from search.prepare.pruning_round import Cut
from search.prepare.row_training import Progress, checkpoint_of
from search.record.trial import TrialRecord
from search.store.base import AlreadyStored, Store, StudyEntry
from search.store.entries import TrainedEntry
from search.study.definition import StudyDefinition
from search.study.rows import PARENT_NAME, SCRATCH_NAME, RowSection
from search.trial.events import Doing, Ended, Event
from search.trial.workbench import Workbench, excess_over
from spaces.base import SpaceError

Say = Callable[[Event], None]
REFERENCE_LATENCY = 1.1
"""The front's reference point: no accuracy at this multiple of the parent's latency."""


def row_names(definition: StudyDefinition) -> set[str]:
    """Names of all rows that a study has beside its trials."""
    return {PARENT_NAME, *(name for row in (*definition.donors, *definition.controls) for name in row.names)}


def make_rows(
    definition: StudyDefinition, store: Store, study: StudyEntry, bench: Workbench, start: Start, say: Say
) -> tuple[Workbench, StudyEntry]:
    """Make or find all rows and store them; the bench around the trained parent, and the study with what is frozen."""
    progress = Progress(lambda what: say(Doing(what)), lambda: datetime.now(UTC))
    recipe = recipe_of(definition.parent.recipe.fixed, start, bench.data)
    bench, parent, new = ensure_parent(
        bench, recipe, trained_already=start.as_is, weights_hash=start.weights_hash, progress=progress
    )
    row = reference_row(bench, parent, made_now=new)
    study = store.freeze(study, {"parent": row.checkpoint, "reference_point": _reference_point(study, row)})
    rows = _Rows(definition, store, study, start, say, progress, {PARENT_NAME: _Root(bench, parent)})
    rows.add(row)
    for section in (*definition.donors, *definition.controls):
        rows.make(section)
    if wants_map(definition):  # here, where only one worker is at work
        sensitivity_map(bench, definition.space.multiple, progress.say)
    # the epoch with the best F1 is a row to compare with; as a second donor it would be all but the first one again
    donors = {donor.name: rows.made[donor.name].key for donor in definition.donors}
    return bench, store.freeze(study, {"donors": donors})


@dataclass(frozen=True)
class _Root:
    """A trained whole network that others are cut from, and the tools around it."""

    bench: Workbench
    entry: TrainedEntry


@dataclass
class _Rows:
    definition: StudyDefinition
    store: Store
    study: StudyEntry
    start: Start
    say: Say
    progress: Progress
    roots: dict[str, _Root]
    """By the name of a row: what it was cut from in the end."""
    made: dict[str, TrainedEntry] = field(init=False)

    def __post_init__(self) -> None:
        self.made = {name: root.entry for name, root in self.roots.items()}

    def make(self, section: RowSection) -> None:
        """One section's row or rows."""
        if section.sources:
            root = self._root_of(section)
            found = self._cut_or_joined(section, root)
        else:
            found, root = self._stock(section)
        for entry, new in found:
            self.made[entry.name], self.roots[entry.name] = entry, root
            self.add(reference_row(root.bench, entry, made_now=new))

    def add(self, row: TrialRecord) -> None:
        """Store a row, unless this study's run stored it before a crash."""
        row = replace(row, constraints=excess_over(self.definition.upper_limits, row.measurements))
        with suppress(AlreadyStored):
            front = self.store.add(self.study, row, None)
            self.say(Ended(row, front is not None))

    def _root_of(self, section: RowSection) -> _Root:
        roots = [self.roots[PARENT_NAME if name == SCRATCH_NAME else name] for name in section.sources]
        if len({root.entry.key for root in roots}) > 1:
            raise SpaceError(f"'{section.name}' joins {' and '.join(section.sources)}, which are of different networks")
        return roots[0]

    def _cut_or_joined(self, section: RowSection, root: _Root) -> Iterable[Made]:
        recipe = recipe_of(self.definition.recipe_of(section), self.start, root.bench.data)
        gives = section in self.definition.donors
        also = section.also is not None
        if section.graft is not None:
            joined = Joined(section.name, section.graft.backbone, section.graft.head, recipe, gives, also)
            return ensure_joined(root.bench, joined, root.entry, self.made, self.progress)
        assert section.source is not None
        rule = Rule(section.cut, section.criterion, self.definition.space.multiple)
        sparse = None
        if section.threshold is not None:
            sparse = recipe_of(self.definition.sparse_recipe_of(section), self.start, root.bench.data)
        cut = Cut(
            section.name, section.source, section.ratio, section.flops, rule, recipe, gives,
            threshold=section.threshold, sparse=sparse, also_f1=also,
        )  # fmt: skip
        return ensure_cut(root.bench, cut, root.entry, self.made, self.progress)

    def _stock(self, section: RowSection) -> tuple[Iterable[Made], _Root]:
        """A detector of its own, and the tools around it, so that others can be cut from it."""
        bench = self.roots[PARENT_NAME].bench
        stock = stock_of(self.definition, section, self.start, bench.data)
        whole = count_parameters(stock.start.candidate())
        around = replace(bench.with_parent(stock.start), parent_parameters=whole)
        found = ensure_stock(around, stock, self.roots[PARENT_NAME].entry, self.progress)
        trained = bench.checkpoints.get(checkpoint_of(found[0].entry))
        return found, _Root(around.with_parent(stock.start.with_weights(trained)), found[0].entry)


def _reference_point(study: StudyEntry, parent: TrialRecord) -> list[float]:
    """The worst corner: zero for what is maximized, a little above the parent for what is minimized."""
    point = []
    for name, direction in study.objectives:
        value = parent.value(name)
        if value is None:
            raise SpaceError(f"objective '{name}' is not measured; there are map50_95, latency_ms, flops_g, size_mib")
        point.append(0.0 if direction is Direction.MAXIMIZE else REFERENCE_LATENCY * value)
    return point
