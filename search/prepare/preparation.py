"""From a study's definition to what its workers need: data, parent, donors, controls, space, reference point.

Every worker calls this; the first one trains what is missing, the others wait for it and find it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from objectives.cost import count_parameters
from objectives.data.dataset import Dataset
from search.latency.local import USUAL_WAIT, IdleWait
from search.latency.study_targets import latency_sources
from search.prepare.inputs import Start, recipe_of
from search.prepare.layout import layout_of
from search.prepare.lineage import donors_of
from search.prepare.reference_rows import make_rows, row_names
from search.record.folders import RunFolder
from search.store.base import Store, StudyEntry
from search.store.entries import TrainedEntry
from search.study.definition import StudyDefinition
from search.trial.events import Doing, Event, Note
from search.trial.workbench import Plan, Workbench
from spaces.base import SpaceError
from spaces.networks.checkpoint import CheckpointError, CheckpointStore

Say = Callable[[Event], None]


@dataclass(frozen=True)
class Setting:
    """Everything about one run that is not the study's definition.

    Attributes:
        device: Where training runs, as Ultralytics spells it: `cpu`, `0`, `cuda:1`.
        scratch: A folder that this process may write and lose.
        idle_wait: How to wait for an idle device to measure the reference.
    """

    folder: RunFolder
    device: str
    scratch: Path
    idle_wait: IdleWait = USUAL_WAIT


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
        source, *further = latency_sources(
            definition,
            store,
            start.parent,
            data,
            setting.scratch,
            stack,
            wait=setting.idle_wait,
            say=lambda line: say(Note(line)),
        )
        if store.target(source.target.key) is None:
            say(Doing("timing the reference network"))
        source.freeze_reference()  # that of a further target is frozen when it is first measured
        yield Workbench(
            store=store,
            data=data,
            parent=start.parent,
            parent_parameters=count_parameters(start.parent.candidate()),
            checkpoints=CheckpointStore(setting.folder.checkpoints),
            maps=setting.folder.maps,
            latency_source=source,
            latency_predictor=source.predictor_of(start.parent.structure),
            further_sources=tuple(further),
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
        if not stored >= row_names(definition):
            say(Doing("waiting for the parent"))
            with store.exclusive(f"prepare {study.id}"):
                bench, study = make_rows(definition, store, study, bench, start, say)
        return _plan(definition, store, study, bench, start, say)
    except CheckpointError as error:
        remedy = "put it back, or delete what is left of it and begin again with --new, which makes it again"
        raise CheckpointError(f"{error}; {remedy}") from error


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
