"""The work of a worker process from start to end: prepares the study and runs trials. Imports torch."""

from __future__ import annotations

import math
import time
from pathlib import Path

import torch

from search.prepare.preparation import Preparation, Setting
from search.prepare.sensitivity_analysis import (
    MAP_SHARE,
    TakesTooLong,
    fewest_epochs,
    summed_sensitivity,
    wants_sensitivity,
)
from search.record.events import Note, Say, WorkerEnded
from search.record.folders import RunFolder
from search.record.stopwatch import Stopwatch
from search.sampler.candidate_predictions import candidate_predictions_of
from search.sampler.optuna_study import OptunaStudy
from search.sampler.registry import make_sampler, sampler_named, sampler_seed
from search.store.base import Attempt, Store, StudyEntry
from search.store.sql import open_store
from search.study.definition import StudyDefinition, stored_definition
from search.trial.evaluate import StudyTrials, out_of_memory_is_the_candidates_fault
from search.trial.stopping import COMPARED, NeverStop, StoppingRule
from search.trial.stopping_rules import rule_named
from search.trial.workbench import Plan, Workbench
from search.work.heartbeat import Heartbeat
from search.work.job import Job
from search.work.worker import Worker
from spaces.allocation.summed_sensitivity import SummedSensitivity
from spaces.base import CandidateError

MAX_REMEASURED = 16
"""Maximum number of contended latencies that are re-measured when the study ends: half a minute."""


def work_on(job: Job, folder: RunFolder, scratch: Path, say: Say) -> WorkerEnded:
    """Prepare the study, or wait until another worker has, and run trials until none is left.

    Raises:
        SpaceError: If data, weights or space are wrong.
        DefinitionError: If the device is not there.
        DefinitionMismatch: If the study is stored with another definition or other content of its files.
        StoreUnavailable: If the database is not available.
    """
    torch.set_num_threads(job.threads)
    store = open_store(job.url)
    session = _Session(job, folder, scratch, say, store)
    heartbeat = Heartbeat(store, session.held)
    heartbeat.start()
    try:
        return session.run()
    finally:
        heartbeat.stop()
        store.close()


class _Session:
    def __init__(self, job: Job, folder: RunFolder, scratch: Path, say: Say, store: Store) -> None:
        self._job, self._say, self._store = job, say, store
        self._setting = Setting(folder=folder, device=job.device, scratch=scratch, threads=job.threads)
        self._begun = time.monotonic()
        self._worker: Worker | None = None

    def held(self) -> Attempt | None:
        """Return the attempt that is worked on now."""
        return None if self._worker is None else self._worker.held

    def run(self) -> WorkerEnded:
        """Run the whole session; return why it ended."""
        watch = Stopwatch()
        definition = stored_definition(self._job.study, self._job.definition)
        preparation = Preparation(
            definition=definition, store=self._store, setting=self._setting, say=self._say, watch=watch
        )
        with preparation.run(self._job.generation) as prepared:
            study, plan, bench = prepared.study, prepared.plan, prepared.bench
            sensitivity = self._sensitivity(definition, study, plan, bench, watch)
            optuna_study = self._optuna_study(definition, study, plan, bench, sensitivity)
            why = self._search(study, optuna_study, StudyTrials(bench, plan), self._rule(definition, study))
            if why != "timeout" and self._job.index == 0:  # one worker: two at once would disturb each other
                bench.remeasure_contended(MAX_REMEASURED)
        spent = watch.seconds()
        return WorkerEnded(why, seconds={phase: spent.get(phase, 0.0) for phase in ("data", "sensitivity")})

    def _sensitivity(
        self, definition: StudyDefinition, study: StudyEntry, plan: Plan, bench: Workbench, watch: Stopwatch
    ) -> SummedSensitivity | None:
        """Return the sensitivity analysis, if the sampler uses it and it takes a small part of the study's time."""
        epochs, images = fewest_epochs(plan.recipe.epochs, plan.searched), len(bench.data.splits["train"].images)
        if not wants_sensitivity(definition, bench.parent, epochs, images, self._job.n_trials):
            return None
        most_s = math.inf if self._job.timeout_s is None else MAP_SHARE * self._job.timeout_s
        try:
            # One worker measures, the others load the result; their waiting does not count as measuring.
            with (
                self._store.exclusive(f"sensitivity {study.id}"),
                watch.phase("sensitivity"),
                out_of_memory_is_the_candidates_fault(),
            ):
                return summed_sensitivity(bench, definition.space.multiple, self._say, most_s)
        except (CandidateError, TakesTooLong):
            return None  # a parent without a finite loss, or one too large: the search works without the analysis

    def _rule(self, definition: StudyDefinition, study: StudyEntry) -> StoppingRule:
        """Return the study's stopping rule; none if it does not know the study's objectives."""
        rule = rule_named(definition.rungs.rule)
        if rule.handles(study.objectives):
            return rule
        compared = " and ".join(name for name, _ in COMPARED)
        names = ", ".join(name for name, _ in study.objectives)
        self._say_once(
            f"no trial is stopped early: rungs '{rule.name}' compares {compared} only; objectives are {names}"
        )
        return NeverStop()

    def _optuna_study(
        self,
        definition: StudyDefinition,
        study: StudyEntry,
        plan: Plan,
        bench: Workbench,
        sensitivity: SummedSensitivity | None,
    ) -> OptunaStudy:
        with self._store.exclusive("optuna tables"):
            records = self._store.records(study)
            seed = sampler_seed(definition.seed, self._job.index, len(records))
            predictions = candidate_predictions_of(study, plan, bench, records, sensitivity)
            # With a sensitivity analysis the sampler chooses better cuts than uniform ones, unless these are asked for.
            knows_better = predictions is not None and predictions.hints and not definition.space.fixes_start_points
            starts = () if knows_better else plan.starts
            if note := sampler_named(definition.sampler.name).note(predictions):
                self._say_once(note)
            sampler = make_sampler(definition.sampler.name, seed, starts, predictions)
            return OptunaStudy(self._job.url, study.sampler_name, study.objectives, plan.parameters, sampler)

    def _say_once(self, line: str) -> None:
        """Send a line that holds for all workers; only the first worker does."""
        if self._job.index == 0:
            self._say(Note(line))

    def _search(self, study: StudyEntry, optuna_study: OptunaStudy, trials: StudyTrials, rule: StoppingRule) -> str:
        timeout_s = self._job.timeout_s
        self._worker = Worker(
            self._store,
            study,
            optuna_study,
            trials,
            n_trials=self._job.n_trials,
            deadline=None if timeout_s is None else self._begun + timeout_s,
            say=self._say,
            rule=rule,
        )
        self._worker.reconcile()
        self._worker.settle()
        return self._worker.work()
