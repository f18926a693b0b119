"""Prepares a study for its workers: its data, parent, donors and controls, its space and its reference point.

Every worker runs this. They share the training of what is missing, and load what others have trained.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import torch

from objectives.data.dataset import Dataset
from search.kept.folder import KeptFolder
from search.latency.local import IdleWait, wait_of_user
from search.latency.source import LatencySource
from search.latency.study_latencies import StudyLatencies
from search.latency.study_targets import file_targets, latency_sources
from search.prepare.copied_rows import CopiedStudy, RowCopier
from search.prepare.early_checks import check_device
from search.prepare.inputs import StudyInputs, complete_recipe, load_initial_parent, open_data
from search.prepare.layout import layout_of
from search.prepare.lineage import load_donors
from search.prepare.moved_files import remember_places
from search.prepare.reference_rows import make_rows, row_names
from search.prepare.row_plans import StudyTools
from search.prepare.study_entry import open_study
from search.record.doubts import DOUBTS, WEIGHTS_DOUBTS, doubt_line
from search.record.events import Activity, BatchDone, Note, Say, say_nothing
from search.record.folders import RunFolder
from search.record.stopwatch import Clock, Stopwatch, utc_now
from search.store.base import Store, StudyEntry
from search.store.entries import TrainedEntry
from search.study.definition import StudyDefinition
from search.trial.plan import SearchPlan
from search.trial.study_training import StudyTraining
from search.trial.workbench import Workbench
from spaces.base import SpaceError
from spaces.networks.checkpoint import CheckpointError, CheckpointStore


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Facts about one run that are not part of the study's definition.

    Attributes:
        device: Where networks are trained, in Ultralytics' notation: `cpu`, `0`, `cuda:1`.
        scratch: A folder for temporary files of this process.
        threads: Number of torch threads; None leaves it as it is.
        idle_wait: How the measurement of the reference network waits for an idle device.
        strict: Whether the warnings about the data set are an error.
        keep_every_s: Minimum number of seconds between two writes of the state of a training.
        parent_wait_s: Seconds that this process waits for a parent that another one trains.
    """

    folder: RunFolder
    device: str
    scratch: Path
    threads: int | None = None
    idle_wait: IdleWait = field(default_factory=wait_of_user)
    strict: bool = False
    keep_every_s: float = 0.0
    parent_wait_s: float = math.inf


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A study that is ready for trials.

    Attributes:
        study: With the parent, the donors, the target and the reference point frozen.
        bench: The tools of this process, around the trained parent.
        make_controls: Makes the controls that are not stored, but for those that another worker trains now.
        has_all_rows: Returns whether no control is missing.
    """

    study: StudyEntry
    plan: SearchPlan
    bench: Workbench
    make_controls: Callable[[], object] = lambda: None
    has_all_rows: Callable[[], bool] = lambda: True


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """The steps before the first trial, for one process.

    Attributes:
        say: Receives events about what happens.
        clock: Returns the present time, for the records.
        watch: Counts the seconds of the phase `data`.
        is_first: True for the first worker of a command, which says what is the same for all.
        with_controls: True if this worker makes controls before its first trial; see `make_rows`.
    """

    definition: StudyDefinition
    store: Store
    setting: Setting
    say: Say = say_nothing
    clock: Clock = utc_now
    watch: Stopwatch = field(default_factory=Stopwatch)
    is_first: bool = True
    with_controls: bool = True

    @contextmanager
    def run(self, generation: int = 1) -> Iterator[Prepared]:
        """Make or find everything that the study's trials need. Ends the latency processes on the way out.

        Args:
            generation: Generation of the study to work on; it is begun now if it is not stored.

        Raises:
            SpaceError: If data, weights or space are wrong.
            DefinitionError: If the device, or a further target, is not available.
            DefinitionMismatch: If the study is stored with another definition, or with other content of its files.
            TargetError: If the study's target cannot be measured here.
            CheckpointError: If the weights of a network that was trained before are missing or damaged.
            ComeBackLater: If another process trains the parent for longer than this one waits.
        """
        check_device(self.setting.device)
        with self.watch.phase("data"):
            self.say(Activity("checking the data"))
            inputs = self.read_inputs()
            self._say_doubts(inputs)
        with self.open_workbench(inputs) as bench:
            # Only now: a definition that cannot run here must not be stored, or its correction would be refused.
            facts = {
                "data": inputs.data.key,
                "weights": inputs.parent.weights_hash,
                "target": bench.latencies.target.key,
            }
            source = self._copied_study(bench, inputs)
            study = open_study(self.store, self.definition, generation, facts)
            remember_places(self.setting.folder, study.definition, self.definition)
            note = inputs.parent.parent.note
            study = self.store.freeze(study, {DOUBTS: list(inputs.data.warnings), WEIGHTS_DOUBTS: [note] * bool(note)})
            bench = replace(bench, kept=self.kept_folder(study))
            try:
                if source is None:
                    study = self._make_missing_rows(study, bench, inputs, with_controls=self.with_controls)
                else:
                    study = self._copy_missing_rows(study, bench, source)
                prepared = self._lay_out(study, bench, inputs)
                if source is None:
                    make_controls = partial(self._make_missing_rows, study, bench, inputs, with_controls=True)
                    has_all_rows = partial(self._has_all_rows, study)
                    prepared = replace(prepared, make_controls=make_controls, has_all_rows=has_all_rows)
            except CheckpointError as error:
                remedy = "put it back, or delete what is left of it and begin again with --new, which makes it again"
                raise CheckpointError(f"{error}; {remedy}") from error
            yield prepared

    def kept_folder(self, study: StudyEntry) -> KeptFolder:
        """Return the folder of the unfinished work of a study."""
        root = self.setting.folder.kept(study.sampler_name)
        return KeptFolder(root, self.setting.keep_every_s, lambda line: self.say(Note(line)))

    def read_inputs(self) -> StudyInputs:
        """Open and check the data, and load the parent before its training.

        Raises:
            SpaceError: If data or weights are wrong.
            DefinitionError: If the study asks of the parent what it does not have.
        """
        data = open_data(self.definition, self.setting.folder, strict=self.setting.strict)
        return StudyInputs(data, load_initial_parent(self.definition, data))

    def _say_doubts(self, inputs: StudyInputs) -> None:
        """Say what is odd about the data set and the weights, if this is the first worker."""
        if self.is_first:
            for line in inputs.data.warnings:
                self.say(Note(doubt_line(line)))
            if inputs.parent.parent.note:
                self.say(Note(f"warning: {inputs.parent.parent.note}"))

    @contextmanager
    def open_workbench(self, inputs: StudyInputs) -> Iterator[Workbench]:
        """Open the tools of this process, around the untrained parent. Ends the latency processes on the way out.

        Raises:
            TargetError: If the study's target cannot be measured here.
            DefinitionError: If a further one cannot.
        """
        setting, parent = self.setting, inputs.parent.parent
        setting.scratch.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            source, *further = latency_sources(
                self.definition,
                self.store,
                parent=parent,
                data=inputs.data,
                scratch=setting.scratch,
                opened=stack,
                wait=setting.idle_wait,
                say=self.say,
            )
            if self.store.target(source.target.key) is None:
                self.say(Activity("timing the reference network"))
            source.freeze_reference()  # that of a further target is frozen when it is first measured
            if setting.threads is not None:
                torch.set_num_threads(setting.threads)  # Ultralytics changes it while it loads
            yield Workbench(
                parent=parent,
                training=self._training(inputs.data, (source, *further)),
                latencies=StudyLatencies(
                    source=source, predictor=source.predictor_of(parent.structure), further=tuple(further)
                ),
                store=self.store,
                checkpoints=CheckpointStore(setting.folder.checkpoints),
                maps=setting.folder.maps,
                named=self.definition.named_quantities,
            )

    def _training(self, data: Dataset, sources: Sequence[LatencySource]) -> StudyTraining:
        return StudyTraining(
            data=data,
            device=self.setting.device,
            scratch=self.setting.scratch,
            seed=self.definition.seed,
            confidence=self.definition.accuracy.confidence,
            iou=self.definition.accuracy.iou,
            files=file_targets(sources, data),
            progress=lambda *numbers: self.say(BatchDone(*numbers)),
        )

    def _make_missing_rows(
        self, study: StudyEntry, bench: Workbench, inputs: StudyInputs, *, with_controls: bool
    ) -> StudyEntry:
        """Make reference rows that are not stored. Returns the study as it is stored then."""
        if not self._has_all_rows(study):
            self.say(Activity("waiting for the parent"))
            sources = (self.definition, self.store, study, bench, inputs)
            tools = StudyTools(*sources, self.say, self.clock, self.setting.parent_wait_s)
            make_rows(tools, with_controls=with_controls)
        return self._as_stored(study)

    def _has_all_rows(self, study: StudyEntry) -> bool:
        stored = {record.name for record in self.store.records(study) if record.is_reference}
        return stored >= row_names(self.definition)

    def _copied_study(self, bench: Workbench, inputs: StudyInputs) -> CopiedStudy | None:
        """Return the study whose networks are copied, after checking that they can be; None if there is none."""
        if self.definition.copied_from is None:
            return None
        source = CopiedStudy.find(self.store, self.definition.copied_from, bench.checkpoints)
        source.check(self.definition, inputs.data.key)
        return source

    def _copy_missing_rows(self, study: StudyEntry, bench: Workbench, source: CopiedStudy) -> StudyEntry:
        """Copy the networks that are not stored, one worker at a time. Returns the study as it is stored then."""
        self.say(Activity("waiting for the parent"))
        with self.store.exclusive(f"prepare {study.id}"):
            stored = {record.name for record in self.store.records(study) if record.is_reference}
            missing = [record for record in source.here if record.name not in stored]
            copier = RowCopier(
                definition=self.definition, store=self.store, study=study, bench=bench, say=self.say, clock=self.clock
            )
            copier.copy(source, missing)
        return self._as_stored(study)

    def _as_stored(self, study: StudyEntry) -> StudyEntry:
        """Return the study with all that is frozen of it by now."""
        current = self.store.latest_study(study.name)
        return current if current is not None and current.id == study.id else study

    def _lay_out(self, study: StudyEntry, bench: Workbench, inputs: StudyInputs) -> Prepared:
        trained = bench.checkpoints.get(study.frozen["parent"])
        bench = bench.with_parent(bench.parent.with_weights(trained))
        entries = {name: self._find_donor(key) for name, key in study.frozen["donors"].items()}
        layout = layout_of(self.definition.space, bench, load_donors(bench, entries), self.say)
        plan = SearchPlan(
            space=layout.space,
            starts=layout.starts,
            hints=layout.hints,
            recipe=complete_recipe(self.definition.recipe.fixed, inputs),
            searched=self.definition.recipe.searched,
            limits=self.definition.upper_limits,
            seed=self.definition.seed,
            inherits=self.definition.inherit,
            at_least=self.definition.at_least,
        )
        return Prepared(study=study, plan=plan, bench=bench)

    def _find_donor(self, key: str) -> TrainedEntry:
        found = self.store.find_trained(key)
        if found is None:
            raise SpaceError("a donor of this study is no longer in the database; start again with --new")
        return found
