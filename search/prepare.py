"""From a study's definition to what its workers need: data, parent, donors, controls, space, reference point.

Every worker calls this; the first one trains what is missing, the others wait for it and find it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from objectives.base import Direction
from objectives.cost import count_parameters
from objectives.data import Dataset, open_dataset
from objectives.latency import LatencyMeter
from objectives.recipe import Recipe
from objectives.reference import reference_candidate
from objectives.target import Target
from search.events import Doing, Ended, Event
from search.folders import RunFolder
from search.lineage import Cut, Progress, donors_of, ensure_cut, ensure_parent, reference_row
from search.record import TrialRecord
from search.starts import start_points
from search.store.base import AlreadyStored, Store, StudyEntry, TrainedEntry
from search.study import StudyDefinition
from search.study_recipe import resolve_recipe
from search.study_sections import ReferenceSection
from search.workbench import Plan, Workbench, excess_over
from spaces.base import ParamValue, Space, SpaceError
from spaces.channels import ChannelRatioSpace
from spaces.checkpoint import CheckpointError, CheckpointStore
from spaces.graft_space import GraftSpace
from spaces.importance import order
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
    """

    folder: RunFolder
    device: str
    scratch: Path


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
    return Start(parent, parent.weights_match, weights, content)


def recipe_of(fixed: Mapping[str, ParamValue], start: Start, data: Dataset) -> Recipe:
    """A recipe with every field settled, from the fields that a study sets."""
    train_args = {} if start.weights is None else start.weights.train_args
    resolved = resolve_recipe(fixed, data.defaults, train_args)
    values = {name: each.value for name, each in resolved.items()}
    return Recipe.from_plain({**values, "imgsz": start.parent.imgsz})


def cut_of(definition: StudyDefinition, cut: ReferenceSection, start: Start, data: Dataset) -> Cut:
    """A donor's or control's definition; its recipe is the study's, changed by its own fields."""
    recipe = recipe_of(definition.recipe_of(cut), start, data)
    gives = cut in definition.donors
    return Cut(cut.name, cut.source, cut.ratio, definition.space.multiple, recipe, gives)


def target_of(definition: StudyDefinition, imgsz: int) -> Target:
    """The study's latency target on this machine."""
    asked = definition.target
    return Target.here(asked.runtime, asked.provider, asked.precision, imgsz, asked.batch, asked.threads)


@contextmanager
def workbench(
    definition: StudyDefinition, store: Store, setting: Setting, data: Dataset, start: Start
) -> Iterator[Workbench]:
    """The tools of this process, around the untrained parent. Ends the latency process on the way out."""
    asked = target_of(definition, start.parent.imgsz)
    setting.scratch.mkdir(parents=True, exist_ok=True)
    with LatencyMeter(asked, reference_candidate(start.parent), scratch=setting.scratch) as meter:
        target = meter.target
        frozen = store.target(target.key)
        if frozen is None:
            frozen = store.add_target(target.key, target.description(), meter.reference_ms())
        yield Workbench(
            store=store,
            data=data,
            parent=start.parent,
            parent_parameters=count_parameters(start.parent.candidate()),
            checkpoints=CheckpointStore(setting.folder.checkpoints),
            target=target,
            meter=meter,
            reference_ms=frozen.reference_ms,
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
        return _plan(definition, store, study, bench, start)
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
    for cut_definition in (*definition.donors, *definition.controls):
        cut = cut_of(definition, cut_definition, start, bench.data)
        entry, new = ensure_cut(bench, cut, parent, made, progress)
        made[cut.name] = entry
        _add_row(store, study, reference_row(bench, entry, made_now=new), definition, say)
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
    definition: StudyDefinition, store: Store, study: StudyEntry, bench: Workbench, start: Start
) -> tuple[Workbench, Plan, StudyEntry]:
    current = store.latest_study(study.name)
    study = current if current is not None and current.id == study.id else study
    trained = bench.checkpoints.get(study.frozen["parent"])
    bench = bench.with_parent(bench.parent.with_weights(trained))
    entries = {name: _entry(store, key) for name, key in study.frozen["donors"].items()}
    space = space_of(definition, bench, entries)
    plan = Plan(
        space=space,
        starts=start_points(space.parameters),
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


def space_of(definition: StudyDefinition, bench: Workbench, donors: Mapping[str, TrainedEntry]) -> Space:
    """The space that the study names."""
    asked = definition.space
    if asked.type == "channels":
        orders = order(bench.parent.candidate(), bench.parent)
        return ChannelRatioSpace(bench.parent, orders, asked.low, asked.high, asked.step, asked.multiple)
    return GraftSpace(bench.parent, donors_of(bench, donors), asked.low, asked.high, asked.step, asked.multiple)


def _imgsz(definition: StudyDefinition, data: Dataset, weights: WeightsFile | None) -> int:
    """The study's own image size, else the data set's, else the checkpoint's, else Ultralytics' 640."""
    checkpoint = None if weights is None else weights.imgsz
    return int(definition.data.imgsz or data.defaults.get("imgsz") or checkpoint or 640)


def _content_hash(path: Path) -> str:
    if path.is_dir():
        return path.name  # our own checkpoints lie in a folder named by their content
    return hashlib.sha256(path.read_bytes()).hexdigest()
