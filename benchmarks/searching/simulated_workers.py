"""Workers that train the variants of a table at once: their trainings are played back, so that hours take seconds.

What proposes (`search.sampler.acquisition`) and what stops (`search.trial.stopping`) is the project's own code; only
time is played.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from benchmarks.searching.digits_table import Variants
from benchmarks.searching.ways import first_trainings
from objectives.base import EpochResult, Evaluation, Measurement
from search.record.latency_text import LATENCY
from search.record.trial import Outcome, TrialRecord
from search.sampler.acquisition import Candidates, FrontAcquisition, TrainedCandidates
from search.sampler.front_sampler import MIN_TRAINED
from search.trial.learning_curves import Curve, Ends
from search.trial.stopping import Rule, complete_curves


@dataclass
class Run:
    """One simulated study.

    Attributes:
        started: Variants in the order in which they were begun.
        stopped: Those that a rule stopped.
        epochs: Trained so far, by all workers.
        shares: Of the best hypervolume, after each complete trial.
        reached: For each aim the epochs and the trials begun until complete trials had that share of the best
            hypervolume.
    """

    started: list[int] = field(default_factory=list)
    complete: list[int] = field(default_factory=list)
    stopped: list[int] = field(default_factory=list)
    epochs: int = 0
    shares: list[float] = field(default_factory=list)
    reached: dict[float, tuple[int, int]] = field(default_factory=dict)


@dataclass
class _Trial:
    variant: int
    curve: list[EpochResult] = field(default_factory=list)


class Simulation:
    """A study on a table with one rule.

    Args:
        workers: How many train at once.
        before: Whether trials are scored before their training too, and may be stopped then.
        aims: Shares of the best hypervolume to wait for; the study ends with the greatest.
        least: Complete trials that it goes on for in any case.
        most: Trials, if the aim is not reached.
    """

    def __init__(
        self,
        problem: Variants,
        rule: Rule,
        workers: int,
        seed: int,
        *,
        before: bool = False,
        aims: tuple[float, ...] = (0.98,),
        least: int = 0,
        most: int = 250,
    ) -> None:
        self._problem, self._rule, self._workers, self._aims = problem, rule, workers, aims
        self._least = least
        self._most, self._first_epoch = min(most, len(problem.accuracy)), 0 if before else 1
        self._random = np.random.default_rng(seed)
        self._first = first_trainings(problem, self._random)
        self._search = FrontAcquisition(*problem.worst)
        self._records: list[TrialRecord] = []
        self._variant_of: list[int] = []
        self._running: dict[int, _Trial] = {}
        self.run = Run()

    def play(self) -> Run:
        """To the end."""
        events: list[tuple[float, int, int]] = []
        order = count()
        for worker in range(self._workers):
            self._begin(worker, 0.0, events, order)
        while events and not self._over():
            now, _, worker = heapq.heappop(events)
            trial = self._running[worker]
            if self._epoch_done(trial):
                del self._running[worker]
                self._begin(worker, now, events, order)
            else:
                heapq.heappush(events, (now + self._next(trial).seconds, next(order), worker))
        return self.run

    def _over(self) -> bool:
        return max(self._aims) in self.run.reached and len(self.run.complete) >= self._least

    def _begin(self, worker: int, now: float, events: list[tuple[float, int, int]], order: count[int]) -> None:
        if len(self.run.started) >= self._most:
            return
        trial = _Trial(self._proposed())
        self.run.started.append(trial.variant)
        self._running[worker] = trial
        heapq.heappush(events, (now + self._next(trial).seconds, next(order), worker))

    def _next(self, trial: _Trial) -> EpochResult:
        return self._problem.curves[trial.variant][self._first_epoch + len(trial.curve)]

    def _epoch_done(self, trial: _Trial) -> bool:
        """Take in one epoch; whether the trial ended with it."""
        result = self._next(trial)
        trial.curve.append(result)
        self.run.epochs += result.epoch > 0
        last = self._problem.curves[trial.variant][-1].epoch
        if result.epoch == last:
            self._end(trial, Outcome.COMPLETE)
            return True
        latency = float(self._problem.latency[trial.variant])
        if self._rule.verdict(latency, trial.curve, last, self._records):
            self._end(trial, Outcome.STOPPED)
            return True
        return False

    def _end(self, trial: _Trial, outcome: Outcome) -> None:
        self._variant_of.append(trial.variant)
        self._records.append(self._record(trial, outcome))
        if outcome is Outcome.STOPPED:
            self.run.stopped.append(trial.variant)
            return
        self.run.complete.append(trial.variant)
        share = self._problem.staircase(self.run.complete).hypervolume / self._problem.best_hypervolume
        self.run.shares.append(float(share))
        for aim in self._aims:
            if share >= aim:
                self.run.reached.setdefault(aim, (self.run.epochs, len(self.run.started)))

    def _record(self, trial: _Trial, outcome: Outcome) -> TrialRecord:
        latency = Measurement(LATENCY, float(self._problem.latency[trial.variant]), "ms")
        complete = outcome is Outcome.COMPLETE
        scores = (_evaluation(float(self._problem.accuracy[trial.variant])),) if complete else ()
        number = len(self._records)
        return TrialRecord(
            number, f"trial {number}", outcome, "", {}, None, None, str(number),
            {"epochs": self._problem.curves[trial.variant][-1].epoch}, 0, (latency,), scores, tuple(trial.curve),
        )  # fmt: skip

    def _proposed(self) -> int:
        left = np.setdiff1d(np.arange(len(self._problem.accuracy)), self.run.started)
        if len(self.run.complete) < MIN_TRAINED:
            return self._first.pop(0) if self._first else int(self._random.choice(left))
        running = [trial.variant for trial in self._running.values()]
        pending = self._candidates(running) if running else None
        return int(left[self._search.propose(self._trained(), self._candidates(left), pending)])

    def _trained(self) -> TrainedCandidates:
        """Complete trials, and what those that were stopped would have reached, as a study's sampler has it."""
        variants, accuracy, variance = [], [], []
        ends = Ends(complete_curves(self._records, self._problem.curves[0][-1].epoch))
        for variant, record in zip(self._variant_of, self._records, strict=True):
            if record.outcome is Outcome.COMPLETE:
                known, spread = float(self._problem.accuracy[variant]), 0.0
            else:
                foretold = ends.of(Curve(float(self._problem.latency[variant]), record.rungs))
                if foretold is None:
                    continue
                known, spread = foretold.mean, foretold.error**2
            variants.append(variant)
            accuracy.append(known)
            variance.append(spread)
        return TrainedCandidates(self._candidates(variants), np.array(accuracy), np.array(variance))

    def _candidates(self, variants: list[int] | np.ndarray) -> Candidates:
        return Candidates(self._problem.features[variants], self._problem.latency[variants])


def _evaluation(accuracy: float) -> Evaluation:
    return Evaluation("val", 1, accuracy, accuracy, 0.0, 0.0, 0.0, 0.5, 0.5, 0.0, 0.0, 0.0, 0.0, (accuracy,))
