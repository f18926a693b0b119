"""From a study's definition to what its workers need: data, parent, donors, controls, space, reference point.

Every worker calls this; the first one trains what is missing, the others wait for it and find it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from objectives.base import Direction
from objectives.cost import count_parameters
from objectives.data import Dataset, open_dataset
from objectives.recipe import Recipe
from search.command import DefinitionError
from search.cutting import Rule, sensitivity_map
from search.events import Doing, Ended, Event, Note
from search.folders import RunFolder
from search.latency_forecast import forecaster_of
from search.layout import layout_of, wants_map
from search.lineage import (
    Cut,
    Progress,
    Stock,
    donors_of,
    ensure_cut,
    ensure_parent,
    ensure_stock,
    reference_row,
)
from search.record import TrialRecord
from search.store.base import AlreadyStored, Store, StudyEntry
from search.store.entries import TrainedEntry
from search.study import StudyDefinition
from search.study_cuts import ReferenceSection
from search.study_recipe import Resolved, Source, image_size, resolve_recipe
from search.study_targets import keepers_of
from search.timekeeper import PATIENCE, Patience
from search.workbench import Plan, Workbench, excess_over
from spaces.base import ParamValue, SpaceError
from spaces.checkpoint import CheckpointError, CheckpointStore, hash_of
from spaces.parent import Parent
from spaces.weights import WeightsFile, read_weights

Say = Callable[[Event], None]
REFERENCE_LATENCY = 1.1
"""The front's reference point: no accuracy at this multiple of the parent's latency."""


@dataclass(frozen=True)
class Setting:
    """Everything about one run that is not the study's definition.

    Attributes:
        device: Where training runs, as Ultralytics spells it: `cpu`, `0`, `cuda:1`.
        scratch: A folder that this process may write and lose.
        patience: Of the measurement of the reference, for an idle device.
    """

    folder: RunFolder
    device: str
    scratch: Path
    patience: Patience = PATIENCE


def data_of(definition: StudyDefinition, folder: RunFolder) -> Dataset:
    """The study's data set, checked."""
    return open_dataset(definition.data.source, folder.data, seed=definition.seed)


@dataclass(frozen=True)
class Start:
    """The parent before its training.

    Attributes:
        as_is: The weights given are a detector for exactly these classes: nothing is to be trained.
        weights: What was read from the user's file, if there is one.
    """

    parent: Parent
    as_is: bool
    weights: WeightsFile | None
    weights_hash: str | None


def start_of(definition: StudyDefinition, data: Dataset) -> Start:
    """Read the parent's weights, or lay out its structure with fresh ones."""
    path = definition.parent.weights
    weights = None if path is None else read_weights(Path(path))
    imgsz = _imgsz(definition, data, weights)
    parent = Parent.load(
        definition.parent.model if weights is None or weights.model is None else None,
        classes=data.classes,
        imgsz=imgsz,
        seed=definition.seed,
        weights=None if path is None else Path(path),
    )
    content = None if path is None else _content_hash(Path(path))
    start = Start(parent, parent.weights_match, weights, content)
    _check_start(definition, start, data)
    return start


def _check_start(definition: StudyDefinition, start: Start, data: Dataset) -> None:
    """What a definition can only be found wrong in once the parent is known; before anything is trained.

    Raises:
        DefinitionError: If scales are to rank channels of a parent that is taken as it is and saw no sparsity, or
            bottlenecks are to be dropped where there are none.
        SpaceError: If a control's model or weights cannot be read.
    """
    if start.as_is and definition.reads_parents_scales:
        sparsity = start.weights.train_args.get("sparsity") if start.weights else None
        if not sparsity:
            raise DefinitionError(
                "criterion batchnorm: the parent's weights are taken as they are, and they do not say that they were "
                "trained with sparsity; take another criterion, or cut from a donor whose recipe sets sparsity"
            )
    if getattr(definition.space, "repeats", False) and not start.parent.repeats:
        raise DefinitionError("space.repeats is true, but the parent has no residual bottleneck that could be dropped")
    for row in definition.controls:
        if row.source is None:
            stock_of(definition, row, start, data)


def recipe_of(fixed: Mapping[str, ParamValue], start: Start, data: Dataset) -> Recipe:
    """A recipe with every field settled, from the fields that a study sets."""
    train_args = {} if start.weights is None else start.weights.train_args
    resolved = resolve_recipe(fixed, data.defaults, train_args, Resolved(start.parent.imgsz, Source.STUDY))
    return Recipe.from_plain({name: each.value for name, each in resolved.items()})


def cut_of(definition: StudyDefinition, cut: ReferenceSection, start: Start, data: Dataset) -> Cut:
    """A donor's or control's definition; its recipe is the study's, changed by its own fields."""
    assert cut.source is not None
    recipe = recipe_of(definition.recipe_of(cut), start, data)
    rule = Rule(cut.cut, cut.criterion, definition.space.multiple)
    return Cut(cut.name, cut.source, cut.ratio, cut.flops, rule, recipe, gives=cut in definition.donors)


def stock_of(definition: StudyDefinition, row: ReferenceSection, start: Start, data: Dataset) -> Stock:
    """A control that is a detector of its own; its recipe is the parent's, changed by its own fields."""
    path = None if row.weights is None else Path(row.weights)
    model = Parent.load(row.model, classes=data.classes, imgsz=start.parent.imgsz, seed=definition.seed, weights=path)
    recipe = recipe_of(definition.recipe_of(row), start, data)
    return Stock(row.name, model, None if path is None else _content_hash(path), recipe)


@contextmanager
def workbench(
    definition: StudyDefinition, store: Store, setting: Setting, data: Dataset, start: Start, say: Say = lambda _: None
) -> Iterator[Workbench]:
    """The tools of this process, around the untrained parent. Ends the latency processes on the way out.

    Raises:
        TargetError: If the study's target cannot be measured here.
        DefinitionError: If a further one cannot.
    """
    setting.scratch.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        keepers = keepers_of(
            definition,
            store,
            start.parent,
            data,
            setting.scratch,
            stack,
            patience=setting.patience,
            say=lambda line: say(Note(line)),
        )
        if store.target(keepers[0].target.key) is None:
            say(Doing("timing the reference network"))
        keepers[0].reference_ms  # noqa: B018  (frozen now; that of a further target when it is first needed)
        yield Workbench(
            store=store,
            data=data,
            parent=start.parent,
            parent_parameters=count_parameters(start.parent.candidate()),
            checkpoints=CheckpointStore(setting.folder.checkpoints),
            maps=setting.folder.maps,
            timekeeper=keepers[0],
            further=tuple(keepers[1:]),
            forecaster=forecaster_of(keepers[0], start.parent.structure),
            device=setting.device,
            scratch=setting.scratch,
            confidence=definition.accuracy.confidence,
            iou=definition.accuracy.iou,
            seed=definition.seed,
        )


def prepare(
    definition: StudyDefinition, store: Store, study: StudyEntry, bench: Workbench, start: Start, say: Say
) -> tuple[Workbench, Plan, StudyEntry]:
    """Make or find parent, donors and controls, store them as reference rows, and lay out the search.

    Raises:
        CheckpointError: If the weights of one that was made before are gone or damaged.
    """
    stored = {record.name for record in store.records(study) if record.is_reference}
    try:
        if not stored >= _reference_names(definition):
            say(Doing("waiting for the parent"))
            with store.exclusive(f"prepare {study.id}"):
                bench, study = _make_references(definition, store, study, bench, start, say)
        return _plan(definition, store, study, bench, start, say)
    except CheckpointError as error:
        remedy = "put it back, or delete what is left of it and begin again with --new, which makes it again"
        raise CheckpointError(f"{error}; {remedy}") from error


def _reference_names(definition: StudyDefinition) -> set[str]:
    return {"parent", *(cut.name for cut in (*definition.donors, *definition.controls))}


def _make_references(
    definition: StudyDefinition, store: Store, study: StudyEntry, bench: Workbench, start: Start, say: Say
) -> tuple[Workbench, StudyEntry]:
    progress = Progress(lambda what: say(Doing(what)), lambda: datetime.now(UTC))
    recipe = recipe_of(definition.parent.recipe.fixed, start, bench.data)
    bench, parent, new = ensure_parent(
        bench, recipe, trained_already=start.as_is, weights_hash=start.weights_hash, progress=progress
    )
    row = reference_row(bench, parent, made_now=new)
    study = store.freeze(study, {"parent": row.checkpoint, "reference_point": _reference_point(study, row)})
    _add_row(store, study, row, definition, say)
    made = {parent.name: parent}
    for row_definition in (*definition.donors, *definition.controls):
        if row_definition.source is None:
            stock = stock_of(definition, row_definition, start, bench.data)
            entry, new = ensure_stock(bench, stock, parent, progress)
        else:
            cut = cut_of(definition, row_definition, start, bench.data)
            entry, new = ensure_cut(bench, cut, parent, made, progress)
        made[entry.name] = entry
        _add_row(store, study, reference_row(bench, entry, made_now=new), definition, say)
    if wants_map(definition):  # here, where only one worker is at work
        sensitivity_map(bench, definition.space.multiple, progress.say)
    donors = {cut.name: made[cut.name].key for cut in definition.donors}
    return bench, store.freeze(study, {"donors": donors})


def _reference_point(study: StudyEntry, parent: TrialRecord) -> list[float]:
    """The worst corner: zero for what is maximized, a little above the parent for what is minimized."""
    point = []
    for name, direction in study.objectives:
        value = parent.value(name)
        if value is None:
            raise SpaceError(f"objective '{name}' is not measured; there are map50_95, latency_ms, flops_g, size_mib")
        point.append(0.0 if direction is Direction.MAXIMIZE else REFERENCE_LATENCY * value)
    return point


def _add_row(store: Store, study: StudyEntry, row: TrialRecord, definition: StudyDefinition, say: Say) -> None:
    row = replace(row, constraints=excess_over(definition.upper_limits, row.measurements))
    with suppress(AlreadyStored):  # by this study's run before a crash
        front = store.add(study, row, None)
        say(Ended(row, front is not None))


def _plan(
    definition: StudyDefinition, store: Store, study: StudyEntry, bench: Workbench, start: Start, say: Say
) -> tuple[Workbench, Plan, StudyEntry]:
    current = store.latest_study(study.name)
    study = current if current is not None and current.id == study.id else study
    trained = bench.checkpoints.get(study.frozen["parent"])
    bench = bench.with_parent(bench.parent.with_weights(trained))
    entries = {name: _entry(store, key) for name, key in study.frozen["donors"].items()}
    layout = layout_of(definition.space, bench, donors_of(bench, entries), lambda what: say(Doing(what)))
    plan = Plan(
        space=layout.space,
        starts=layout.starts,
        recipe=recipe_of(definition.recipe.fixed, start, bench.data),
        searched=definition.recipe.searched,
        limits=definition.upper_limits,
        seed=definition.seed,
    )
    return bench, plan, study


def _entry(store: Store, key: str) -> TrainedEntry:
    found = store.find_trained(key)
    if found is None:
        raise SpaceError("a donor of this study is no longer in the database; start again with --new")
    return found


def _imgsz(definition: StudyDefinition, data: Dataset, weights: WeightsFile | None) -> int:
    checkpoint = None if weights is None else weights.imgsz
    return int(image_size(definition.data.imgsz, data.defaults, checkpoint).value)


def _content_hash(path: Path) -> str:
    if path.is_dir():
        return hash_of(path)
    return hashlib.sha256(path.read_bytes()).hexdigest()
