"""Workers that train the variants of a table at the same time: learning curves are replayed, so hours take seconds.

The proposals (`search.sampler.acquisition`) and the stopping rules (`search.trial.stopping`) are the project's own
code; only time is simulated.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from benchmarks.searching.digits_table import VariantProblem
from benchmarks.searching.methods import first_trainings
from benchmarks.searching.records import made_up_record
from objectives.base import EpochResult, Measurement
from search.record.latency_text import LATENCY
from search.record.trial import Outcome, TrialRecord
from search.sampler.acquisition import Candidates, FrontAcquisition, TrainedCandidates
from search.sampler.front_sampler import MIN_TRAINED
from search.trial.learning_curves import FinalAccuracyPredictor, LearningCurve, complete_curves
from search.trial.stopping import RunningTrial, StoppingRule


@dataclass
class SimulatedRun:
    """One simulated study.

    Attributes:
        started: Variants in the order in which their trials began.
        complete: Variants that were trained to the end.
        stopped: Variants that a rule stopped.
        epochs: Epochs trained so far by all workers.
        shares: Share of the best hypervolume after each complete trial.
        reached: Epochs and started trials by goal, when complete trials had this share of the best hypervolume.
    """

    started: list[int] = field(default_factory=list)
    complete: list[int] = field(default_factory=list)
    stopped: list[int] = field(default_factory=list)
    epochs: int = 0
    shares: list[float] = field(default_factory=list)
    reached: dict[float, tuple[int, int]] = field(default_factory=dict)


@dataclass
class _RunningTrial:
    variant: int
    curve: list[EpochResult] = field(default_factory=list)


class SimulatedStudy:
    """A study on a table with one stopping rule.

    Args:
        workers: Number of trials that are trained at the same time.
        before: True if trials are scored before their training too, and may be stopped then.
        goals: Shares of the best hypervolume to wait for; the study ends with the highest.
        min_complete: Minimum number of complete trials.
        max_trials: Maximum number of trials, if the goal is not reached.
    """

    def __init__(
        self,
        problem: VariantProblem,
        rule: StoppingRule,
        *,
        workers: int,
        seed: int,
        before: bool = False,
        goals: tuple[float, ...] = (0.98,),
        min_complete: int = 0,
        max_trials: int = 250,
    ) -> None:
        self._problem, self._rule, self._workers, self._goals = problem, rule, workers, goals
        self._min_complete, self._max_trials = min_complete, min(max_trials, len(problem.accuracy))
        self._first_epoch = 0 if before else 1
        self._random = np.random.default_rng(seed)
        self._first = first_trainings(problem, self._random)
        self._acquisition = FrontAcquisition(*problem.worst)
        self._records: list[TrialRecord] = []
        self._variant_of: list[int] = []
        self._running: dict[int, _RunningTrial] = {}
        self._run = SimulatedRun()

    def run(self) -> SimulatedRun:
        """Run the study to its end."""
        events: list[tuple[float, int, int]] = []
        order = count()
        for worker in range(self._workers):
            self._begin(worker, 0.0, events, order)
        while events and not self._is_over():
            now, _, worker = heapq.heappop(events)
            trial = self._running[worker]
            if self._finish_epoch(trial):
                del self._running[worker]
                self._begin(worker, now, events, order)
            else:
                heapq.heappush(events, (now + self._next_epoch(trial).seconds, next(order), worker))
        return self._run

    def _is_over(self) -> bool:
        return max(self._goals) in self._run.reached and len(self._run.complete) >= self._min_complete

    def _begin(self, worker: int, now: float, events: list[tuple[float, int, int]], order: count[int]) -> None:
        if len(self._run.started) >= self._max_trials:
            return
        trial = _RunningTrial(self._propose())
        self._run.started.append(trial.variant)
        self._running[worker] = trial
        heapq.heappush(events, (now + self._next_epoch(trial).seconds, next(order), worker))

    def _next_epoch(self, trial: _RunningTrial) -> EpochResult:
        return self._problem.curves[trial.variant][self._first_epoch + len(trial.curve)]

    def _finish_epoch(self, trial: _RunningTrial) -> bool:
        """Add one epoch to a trial; return whether the trial ended with it."""
        result = self._next_epoch(trial)
        trial.curve.append(result)
        self._run.epochs += result.epoch > 0
        last = self._problem.curves[trial.variant][-1].epoch
        if result.epoch == last:
            self._end(trial, Outcome.COMPLETE)
            return True
        latency = float(self._problem.latency[trial.variant])
        if self._rule.reason_to_stop(RunningTrial(latency, trial.curve, last), self._records):
            self._end(trial, Outcome.STOPPED)
            return True
        return False

    def _end(self, trial: _RunningTrial, outcome: Outcome) -> None:
        self._variant_of.append(trial.variant)
        self._records.append(self._record(trial, outcome))
        if outcome is Outcome.STOPPED:
            self._run.stopped.append(trial.variant)
            return
        self._run.complete.append(trial.variant)
        share = self._problem.staircase(self._run.complete).hypervolume / self._problem.best_hypervolume
        self._run.shares.append(float(share))
        for goal in self._goals:
            if share >= goal:
                self._run.reached.setdefault(goal, (self._run.epochs, len(self._run.started)))

    def _record(self, trial: _RunningTrial, outcome: Outcome) -> TrialRecord:
        return made_up_record(
            len(self._records),
            outcome,
            params={},
            epochs=self._problem.curves[trial.variant][-1].epoch,
            latency=Measurement(LATENCY, float(self._problem.latency[trial.variant]), "ms"),
            accuracy=float(self._problem.accuracy[trial.variant]),
            curve=tuple(trial.curve),
        )

    def _propose(self) -> int:
        left = np.setdiff1d(np.arange(len(self._problem.accuracy)), self._run.started)
        if len(self._run.complete) < MIN_TRAINED:
            return self._first.pop(0) if self._first else int(self._random.choice(left))
        running = [trial.variant for trial in self._running.values()]
        pending = self._candidates(running) if running else None
        return int(left[self._acquisition.propose(self._trained(), self._candidates(left), pending)])

    def _trained(self) -> TrainedCandidates:
        """Return complete trials, and stopped ones with the accuracy predicted for them, as a study's sampler does."""
        variants, accuracy, variance = [], [], []
        predictor = FinalAccuracyPredictor(complete_curves(self._records, self._problem.curves[0][-1].epoch))
        for variant, record in zip(self._variant_of, self._records, strict=True):
            if record.outcome is Outcome.COMPLETE:
                mean, error = float(self._problem.accuracy[variant]), 0.0
            else:
                predicted = predictor.predict(LearningCurve(float(self._problem.latency[variant]), record.rungs))
                if predicted is None:
                    continue
                mean, error = predicted.mean, predicted.error
            variants.append(variant)
            accuracy.append(mean)
            variance.append(error**2)
        return TrainedCandidates(self._candidates(variants), np.array(accuracy), np.array(variance))

    def _candidates(self, variants: list[int] | np.ndarray) -> Candidates:
        return Candidates(self._problem.features[variants], self._problem.latency[variants])
