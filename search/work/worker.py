"""Worker: claims a trial, asks the sampler, evaluates, stores and tells the result, until the study has its trials."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from objectives.base import EpochResult
from search.record.events import Activity, Note, RecordStored, Say
from search.record.stopwatch import Clock, utc_now
from search.record.trial import Outcome, TrialRecord
from search.sampler.optuna_study import OptunaStudy
from search.store.base import (
    AlreadyStored,
    Attempt,
    Fenced,
    Store,
    StoreError,
    StoreUnavailable,
    StudyEntry,
    WorkerId,
)
from search.trial.runner import Hooks, TrialRunner
from search.trial.stopping import NeverStop, RunningTrial, StoppingRule
from search.work.deaths import reason_to_give_up
from search.work.job import LEFT, RENEW
from search.work.liveness import STALE_AFTER_S, Heard, Heartbeats, is_alive, this_worker
from spaces.base import ParamValue
from spaces.steps import note_step

DUPLICATES_UNTIL_EXHAUSTED = 50
"""Number of duplicates in a row after which the space counts as exhausted."""
SHORT_OF_MEMORY = "out of memory"
"""Beginning of the reason of a trial for which the memory was too small."""
MOST_SETTLED = 500
"""Number of unfinished trials up to which only their records are read at the start."""
IDLE_POLL_S = 0.5
"""Seconds between two queries of the database while the last trials run on other workers."""


@dataclass(frozen=True)
class _Assigned:
    """Held attempt whose trial has its number and parameters."""

    attempt: Attempt
    number: int
    params: Mapping[str, ParamValue]


class _DuplicatesInARow:
    """Counts duplicates while nobody, on any machine, finds a new network. Many of them mean an exhausted space.

    While others train the same network, a sampler that does not know their results may propose it again and again.
    """

    def __init__(self, store: Store, study: StudyEntry) -> None:
        self._store, self._study = store, study
        self._number, self._counted = 0, store.counted(study)

    def note(self, record: TrialRecord) -> None:
        """Count a trial of this worker."""
        self._number = self._number + 1 if record.outcome is Outcome.DUPLICATE else 0
        self._begin_again_if_new()

    def look(self) -> bool:
        """Return whether there were enough of them in a row to call the space exhausted, unless there is news."""
        if self._number >= DUPLICATES_UNTIL_EXHAUSTED:
            self._begin_again_if_new()
        return self._number >= DUPLICATES_UNTIL_EXHAUSTED

    def _begin_again_if_new(self) -> None:
        before, self._counted = self._counted, self._store.counted(self._study)
        if self._counted != before:
            self._number = 0


class Worker:
    """Works on one study until it has its trials, the time is up or the space is exhausted.

    Args:
        deadline: Time of `monotonic` after which no trial is begun; None for no limit.
        say: Receives events for the supervisor.
        rule: Stopping rule of the trials; by default none is stopped.
        is_over: Returns whether no further trial begins although there are fewer than `n_trials`: a budget is spent.
        clock: Returns the present time, for the records.
        monotonic: Returns seconds that never go back, for the deadline and for durations.
        sleep: Waits for a number of seconds.
    """

    def __init__(
        self,
        store: Store,
        study: StudyEntry,
        optuna_study: OptunaStudy,
        trials: TrialRunner,
        *,
        n_trials: int,
        deadline: float | None,
        say: Say,
        rule: StoppingRule | None = None,
        is_over: Callable[[], bool] = lambda: False,
        clock: Clock = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store, self._study, self._optuna = store, study, optuna_study
        self._trials, self._is_over = trials, is_over
        self._n_trials, self._deadline, self._say, self._rule = n_trials, deadline, say, rule or NeverStop()
        self._clock, self._monotonic, self._sleep = clock, monotonic, sleep
        self._me = this_worker()
        self._heartbeats = Heartbeats()
        self._held: Attempt | None = None
        self._idle_since = monotonic()  # end of the last evaluation: the time until the next counts as `proposal`

    @property
    def held(self) -> Attempt | None:
        """Attempt that this worker holds at present, for the heartbeat."""
        return self._held

    def work(self, *, leaves: bool = False) -> str:
        """Run trials. Return the reason why no more are run: `done`, `left`, `timeout`, `exhausted` or `renew`.

        After a trial without enough memory this process ends, and another one goes on: libraries may keep what they had
        reserved, or fail from then on (seen of oneDNN), and the next trial would be stored as failed by that.

        On any exception (an interruption, a full disk) the held trial is released before the exception is passed on.

        Args:
            leaves: Whether it ends while other workers, which are alive, run the last trials. Else it waits for them.
        """
        duplicates, heard = _DuplicatesInARow(self._store, self._study), Heard(self._is_alive)
        while True:
            if self._deadline is not None and self._monotonic() >= self._deadline:
                return "timeout"
            self.reconcile()
            others = self._store.open_attempts(self._study) if duplicates.look() else ()
            if not others and duplicates.look():  # again: the last of the others may have ended in between
                return "exhausted"
            if others and all(attempt.worker is not None for attempt in others):
                self._idle()  # the sampler learns of their trials
                continue
            n_trials = 0 if self._is_over() else self._n_trials  # with 0 only released trials are continued
            self._held = self._store.reserve(self._study, self._me, n_trials)
            note_step()
            if self._held is None:
                last = self._store.open_attempts(self._study)
                if not last:
                    return "done"
                if leaves and heard.all_live(last):
                    return LEFT
                self._idle()  # other workers run the last trials; a released one would continue here
                continue
            record = self._run(self._held)
            if record is not None:
                duplicates.note(record)
                if record.outcome is Outcome.FAILED and record.reason.startswith(SHORT_OF_MEMORY):
                    return RENEW

    def _idle(self) -> None:
        """Wait a moment for other workers."""
        self._optuna.rest()
        note_step()
        self._idle_since = self._monotonic() + IDLE_POLL_S
        self._sleep(IDLE_POLL_S)

    def reconcile(self) -> None:
        """Release the attempts of dead and hung workers, and mark their trials as waiting in Optuna's study."""
        self._heartbeats.look(self._store.open_attempts(self._study))
        for number in self._store.reconcile(self._study, self._is_alive, STALE_AFTER_S):
            self._optuna.wait(number)

    def _is_alive(self, worker: WorkerId) -> bool | None:
        """Return whether a worker works; None if this is unknown, because it is on another host."""
        alive = is_alive(worker)
        return alive and self._heartbeats.idle_s(worker) <= STALE_AFTER_S if alive else alive

    def settle(self) -> None:
        """Make Optuna's study agree with the records: a crash between `add` and `tell` makes them differ."""
        unfinished = self._optuna.unfinished()
        attempts = self._store.open_attempts(self._study)
        records = self._records_to_settle(unfinished)
        held = [attempt.number for attempt in attempts if attempt.number is not None]
        asking = any(attempt.number is None for attempt in attempts)
        self._optuna.settle(records, held, unfinished, may_be_asking=asking)

    def _records_to_settle(self, unfinished: Sequence[int]) -> Sequence[TrialRecord]:
        """Return the records that Optuna may not know; all of them if it lacks trials."""
        last = self._store.last_number(self._study)
        if last is None:
            return ()
        if last >= self._optuna.known or len(unfinished) > MOST_SETTLED:
            return self._store.records(self._study)
        names = [f"trial {number}" for number in unfinished]
        return self._store.records(self._study, names=names) if names else ()

    def release(self) -> None:
        """Release the held trial, so that any worker can claim it."""
        attempt, self._held = self._held, None
        if attempt is None:
            return
        with suppress(StoreError):  # the database failed: the next start reconciles this trial
            self._store.release(attempt)
            if attempt.number is not None:
                self._optuna.wait(attempt.number)

    def _run(self, attempt: Attempt) -> TrialRecord | None:
        """Run the trial of the held attempt. Return None if another worker took it over meanwhile."""
        if attempt.number is not None:  # said at once: it is to blame if this process dies now
            self._say(Activity(f"trial {attempt.number}", attempt.number))
        try:
            assigned = self._assign(attempt)
            self._optuna.rest()
            proposal_s = self._monotonic() - self._idle_since
            record = self._evaluate(assigned)
            record = replace(record, seconds={**record.seconds, "proposal": proposal_s})
            self._idle_since = self._monotonic()
            advice = self._optuna.telling(record)
            front = self._store.add(self._study, record, assigned.attempt, advice)
            self._held = None
            if advice is None or not advice.is_written:
                self._optuna.tell(record)
            self._trials.forget(assigned.number)
            self._say(RecordStored(record, front is not None))
            return record
        except Fenced:
            self._held = None
            self._say(Activity("between trials"))
            self._say(Note("a trial was taken over by another worker; this worker goes on with the next"))
            return None
        except BaseException:
            self.release()
            raise

    def _assign(self, attempt: Attempt) -> _Assigned:
        """Give the held attempt its number and parameters, unless an earlier worker has done so."""
        if attempt.number is not None:
            self._optuna.resume(attempt.number)
            return _Assigned(attempt, attempt.number, attempt.params or {})
        while True:
            number, params, advice = self._optuna.propose()
            try:
                self._held = self._store.assign(attempt, number, params, advice)
            except AlreadyStored:
                continue  # Optuna returned a waiting trial that another worker has claimed already
            self._optuna.keep(advice)
            return _Assigned(self._held, number, params)

    def _evaluate(self, assigned: _Assigned) -> TrialRecord:
        attempt, number = assigned.attempt, assigned.number
        self._say(Activity(f"trial {number}", number))
        if reason := reason_to_give_up(attempt, self._trials.earlier_takes(number)):
            return self._trials.give_up(number, assigned.params, reason, self._clock())

        kept: list[EpochResult] = []

        def report(result: EpochResult) -> None:
            """Store the epoch; while the database is away keep it for later, and train on."""
            note_step()
            kept.append(result)
            with suppress(StoreUnavailable), self._store.waiting_at_most(0):
                while kept:
                    self._store.report(attempt, kept[0])
                    kept.pop(0)

        hooks = Hooks(
            claim_identity=lambda identity: self._store.claim_identity(attempt, identity),
            report=report,
            show_stage=lambda stage: self._say(Activity(f"trial {number}: {stage}", number)),
            clock=self._clock,
            reason_to_stop=self._reason_to_stop,
            tries=attempt.tries,
            deaths=len(attempt.deaths),
        )
        return self._trials.run(number, assigned.params, hooks)

    def _reason_to_stop(self, latency_ms: float, curve: Sequence[EpochResult], epochs: int) -> str:
        """Return the reason to stop a trial at this epoch, from the present records; empty if it continues."""
        trial = RunningTrial(latency_ms, curve, epochs)
        if not trial.may_stop:
            return ""
        try:
            with self._store.waiting_at_most(0):
                others = self._store.records(self._study, curves=False) if self._rule.compares_trials else ()
        except StoreUnavailable:  # nobody knows of a reason at present
            return ""
        return self._rule.reason_to_stop(trial, others)
