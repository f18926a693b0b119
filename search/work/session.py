"""Work of a worker process from start to end: prepares the study and runs trials. Imports torch."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import torch

from search.prepare.copied_rows import CopiedStudy
from search.prepare.preparation import Preparation, Prepared, Setting
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
from search.sampler.budgeted import BudgetedSampler, BudgetState
from search.sampler.candidate_predictions import can_predict, candidate_predictions_of
from search.sampler.finalists import finalist_chooser_of
from search.sampler.hints import narrowest_point
from search.sampler.optuna_study import OptunaStudy, distribution_of
from search.sampler.registry import make_sampler, sampler_named, sampler_seed
from search.sampler.tables.first_worker import sampler_tables
from search.store.base import Attempt, Store, StudyEntry
from search.store.outage.patience import Patience
from search.store.runs.gpu_hours import GpuHours
from search.store.sql import open_store
from search.study.definition import stored_definition
from search.study.file_objectives import accuracy_of_curves
from search.trial.evaluate import StudyTrials
from search.trial.network_steps import out_of_memory_as_candidate_error
from search.trial.stopping import NeverStop, StoppingRule, compared
from search.trial.stopping_rules import rule_named
from search.trial.untrained_candidates import UntrainedCandidates
from search.work.budget_plan import spending_of
from search.work.heartbeat import Heartbeat
from search.work.job import LEFT, RENEW, Job
from search.work.worker import Worker
from spaces.allocation.summed_sensitivity import SummedSensitivity
from spaces.base import CandidateError

MAX_REMEASURED = 16
"""Maximum number of contended latencies that are re-measured when the study ends: half a minute."""


def work_on(job: Job, folder: RunFolder, scratch: Path, say: Say) -> WorkerEnded:
    """Prepare the study, or wait until another worker has prepared it, and run trials until none is left.

    Raises:
        SpaceError: If data, weights or space are wrong.
        DefinitionError: If the device does not exist.
        DefinitionMismatch: If the study is stored with another definition or other content of its files.
        StoreUnavailable: If the database is not available.
    """
    torch.set_num_threads(job.threads)
    patience = Patience(job.database_wait_s, say, has_answered=True)  # the supervisor has talked with it
    with closing(open_store(job.url, patience)) as store:
        session = _Session(job, folder, scratch, say, store, patience)
        heartbeat = Heartbeat(store, session.held, job.hung_after_s)
        heartbeat.start()
        try:
            return session.run()
        finally:
            heartbeat.stop()


class _Session:
    def __init__(
        self,
        job: Job,
        folder: RunFolder,
        scratch: Path,
        say: Say,
        store: Store,
        patience: Patience,
    ) -> None:
        self._job, self._say, self._store, self._patience = job, say, store, patience
        self._definition = stored_definition(job.study, job.definition)
        self._setting = Setting(
            folder=folder,
            device=job.device,
            scratch=scratch,
            threads=job.threads,
            strict=job.strict,
            keep_every_s=job.keep_every_s,
            parent_wait_s=job.parent_wait_s,
        )
        self._watch = Stopwatch()
        self._worker: Worker | None = None

    def held(self) -> Attempt | None:
        """Return the attempt that the worker holds at present."""
        return None if self._worker is None else self._worker.held

    def run(self) -> WorkerEnded:
        """Run the whole session. Return the reason why it ended, and the seconds spent."""
        preparation = Preparation(
            definition=self._definition,
            store=self._store,
            setting=self._setting,
            say=self._say,
            watch=self._watch,
            is_first=self._job.is_first,
            with_controls=self._job.makes_controls_first,
        )
        with preparation.run(self._job.generation) as prepared:
            self._say_left_out(prepared)
            budget = self._budget(prepared)
            if budget is not None:
                prepared = _with_budget(prepared, budget)
            optuna_study = self._optuna_study(prepared, self._sensitivity(prepared, budget), budget)
            self._worker = self._worker_of(prepared, optuna_study, budget)
            why = self._search(self._worker, prepared)
            if why not in ("timeout", LEFT, RENEW) and (self._job.is_first or self._job.leaves):
                with self._store.exclusive_if_free(f"measure again {prepared.study.id}") as is_alone:
                    if is_alone:  # two at once would disturb each other
                        prepared.bench.latencies.remeasure_contended(prepared.bench.parent, MAX_REMEASURED)
        spent = self._watch.seconds()
        return WorkerEnded(why, seconds={phase: spent.get(phase, 0.0) for phase in ("data", "sensitivity")})

    def _say_left_out(self, prepared: Prepared) -> None:
        """Say how many networks of the study that is copied have no weights here."""
        source = self._definition.copied_from
        if source is not None:
            text = CopiedStudy.find(self._store, source, prepared.bench.checkpoints).left_out_text()
            if text:
                self._say_once(text)

    def _budget(self, prepared: Prepared) -> BudgetState | None:
        """Return the study's budget and what is spent of it; None if it ends after a number of trials."""
        if self._job.budget is None:
            return None
        study, plan = prepared.study, prepared.plan
        spending = spending_of(self._definition, self._job.budget, self._job.repeats)
        chooser = None
        if can_predict(study.objectives):
            records, narrowest_ms = self._store.records(study), self._narrowest_ms(prepared)
            chooser = finalist_chooser_of(study, plan, records, spending, narrowest_ms)
        state = BudgetState(self._store, study, spending, chooser)
        self._say_once(spending.plan_text(state.records()))
        return state

    def _narrowest_ms(self, prepared: Prepared) -> float | None:
        """Return the latency in ms of the narrowest network of the space; None if it is not known."""
        plan, bench = prepared.plan, prepared.bench
        point = narrowest_point(plan.space, plan.parameters, len(bench.parent.structure.groups))
        return None if point is None else UntrainedCandidates(bench, plan).latency_ms(point)

    def _sensitivity(self, prepared: Prepared, budget: BudgetState | None) -> SummedSensitivity | None:
        """Return the sensitivity analysis, if the sampler uses it and it takes a small part of the study's time."""
        plan, bench = prepared.plan, prepared.bench
        epochs = fewest_epochs(plan.recipe.epochs, plan.searched)
        images = len(bench.training.data.splits["train"].images)
        if not wants_sensitivity(
            self._definition, bench.parent, epochs=epochs, images=images, n_trials=self._expected_trials(budget)
        ):
            return None
        max_s = math.inf if self._job.timeout_s is None else MAP_SHARE * self._job.timeout_s
        try:
            # One worker measures, and the others load the result. Time of waiting does not count for the analysis.
            with (
                self._store.exclusive(f"sensitivity {prepared.study.id}"),
                self._watch.phase("sensitivity"),
                out_of_memory_as_candidate_error(),
            ):
                space = self._definition.space
                return summed_sensitivity(
                    bench, multiple=space.multiple, criterion=space.order_criterion, say=self._say, max_s=max_s
                )
        except (CandidateError, TakesTooLong):
            return None  # without a finite loss, or for a large parent, the search works without the analysis

    def _expected_trials(self, budget: BudgetState | None) -> int:
        """Return about how many trials the study will have: those asked for, or those that its budget allows."""
        if budget is None:
            return self._job.n_trials
        return budget.spending.expected_trials(budget.records())

    def _optuna_study(
        self, prepared: Prepared, sensitivity: SummedSensitivity | None, budget: BudgetState | None
    ) -> OptunaStudy:
        study, plan, sampler_name = prepared.study, prepared.plan, self._definition.sampler.name
        records = self._store.records(study)
        seed = sampler_seed(self._definition.seed, self._job.index, len(records))
        predictions = candidate_predictions_of(study, plan, prepared.bench, records, sensitivity)
        # With a sensitivity analysis the sampler chooses better cuts than uniform ones, unless these are asked for.
        # The bands of a budget begin with wide networks, and start points of grafts are narrow.
        fixed = self._definition.space.fixes_start_points and budget is None
        ranks = budget is not None or (predictions is not None and predictions.ranks_untrained)
        knows_better = predictions is not None and ranks and not fixed
        starts = () if knows_better or self._definition.copied_from else plan.starts
        if predictions is not None:
            predictions.starts = len(starts)
            candidates = UntrainedCandidates(prepared.bench, plan)
            if plan.inherits and sensitivity is not None:  # where the analysis is cheap, a single loss is too
                predictions.measure_loss = candidates.loss_increase
            if budget is not None:
                predictions.measure_latency = candidates.latency_ms
        if note := sampler_named(sampler_name).note(predictions):
            self._say_once(note)
        sampler = make_sampler(sampler_name, seed, starts, predictions)
        if budget is not None:
            sampler = BudgetedSampler(
                sampler,
                budget,
                {name: distribution_of(each) for name, each in plan.parameters.items()},
                predictions,
            )
        with sampler_tables(self._store, study, self._job.index):
            optuna_study = OptunaStudy(
                self._job.url, study.sampler_name, study.objectives, plan.parameters, sampler, self._patience
            )
            optuna_study.rest()
        return optuna_study

    def _rule(self, study: StudyEntry) -> StoppingRule:
        """Return the study's stopping rule; `NeverStop` if the rule does not know the study's objectives."""
        rule = rule_named(self._definition.rungs.rule)
        accuracy = accuracy_of_curves(self._definition.task)
        if rule.handles(study.objectives, accuracy):
            return rule
        known = " and ".join(name for name, _ in compared(accuracy))
        names = ", ".join(name for name, _ in study.objectives)
        self._say_once(f"no trial is stopped early: rungs '{rule.name}' compares {known} only; objectives are {names}")
        return NeverStop()

    def _say_once(self, line: str) -> None:
        """Send a line that is the same for all workers, if this is the first worker of the command."""
        if self._job.is_first:
            self._say(Note(line))

    def _worker_of(self, prepared: Prepared, optuna_study: OptunaStudy, budget: BudgetState | None) -> Worker:
        return Worker(
            self._store,
            prepared.study,
            optuna_study,
            StudyTrials.of(prepared.bench, prepared.plan, prepared.study),
            n_trials=self._job.n_trials if budget is None else sys.maxsize,
            is_over=self._is_over(prepared.study, budget),
            deadline=self._job.deadline,
            say=self._say,
            rule=self._rule(prepared.study),
        )

    def _is_over(self, study: StudyEntry, budget: BudgetState | None) -> Callable[[], bool]:
        """Return what tells whether no further trial begins, however many the study has."""
        limits = [] if budget is None else [budget.is_over]
        if self._job.gpu_hours is not None:
            hours = GpuHours(self._store, study.name, study.generation, self._job.gpu_hours, self._say_once)
            limits.append(hours.are_spent)
        return lambda: any(is_over() for is_over in limits)

    def _search(self, worker: Worker, prepared: Prepared) -> str:
        """Run trials and make the controls that are missing. Return the reason why no more is done."""
        worker.reconcile()
        worker.settle()
        prepared.bench.kept.discard_stored(lambda: self._store.records(prepared.study, curves=False))
        why = worker.work(leaves=True)
        if why in ("timeout", RENEW):
            return why
        prepared.make_controls()  # also while others run the last trials, which take long
        if why == LEFT:  # meanwhile they may have ended, or were handed back, and more trials may follow
            why = worker.work(leaves=self._job.leaves)
        is_last = not self._job.leaves or prepared.has_all_rows()
        return why if is_last or why in ("timeout", RENEW) else LEFT


def _with_budget(prepared: Prepared, budget: BudgetState) -> Prepared:
    """Return the same with the epochs of the finalists' further training."""
    if budget.chooser is None:
        return prepared
    return replace(prepared, plan=replace(prepared.plan, continued_epochs=budget.finalist_epochs))
