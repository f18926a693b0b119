"""What a worker does with its trials, on a real database and a real Optuna study."""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import optuna
import pytest

from search.record.events import Activity, Event, say_nothing
from search.record.stopwatch import utc_now
from search.record.trial import Outcome, TrialRecord
from search.sampler.optuna_study import OptunaStudy
from search.store.base import Attempt, Store, StudyEntry, WorkerId
from search.store.sql import open_store
from search.trial.runner import Hooks
from search.work.job import TRIES_UNTIL_FAILED
from search.work.liveness import this_worker
from search.work.worker import DUPLICATES_UNTIL_EXHAUSTED, Worker
from spaces.base import ParamValue
from tests.search.work import quick_trials
from tests.search.work.quick_trials import QuickTrials

SAME: dict[str, ParamValue] = {"backbone": "one", "ratio": 0.5}


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'worker.db'}"


@pytest.fixture
def study(url: str) -> StudyEntry:
    return quick_trials.begin_study(url)


def test_a_study_ends_with_its_total_whatever_the_outcomes(url: str, study: StudyEntry) -> None:
    assert quick_trials.work(url, 12, seed=0) == "done"
    records = open_store(url).records(study)
    assert len(records) == 12
    assert {record.outcome for record in records} == {Outcome.COMPLETE, Outcome.FAILED}


def test_the_same_command_again_adds_nothing(url: str, study: StudyEntry) -> None:
    quick_trials.work(url, 5, seed=0)
    before = open_store(url).records(study)
    assert quick_trials.work(url, 5, seed=0) == "done"
    assert open_store(url).records(study) == before


def test_a_greater_total_continues(url: str, study: StudyEntry) -> None:
    quick_trials.work(url, 4, seed=0)
    quick_trials.work(url, 9, seed=0)
    store = open_store(url)
    assert store.counted(study) == 9
    assert [record.number for record in store.records(study)] == list(range(9))


def test_a_trial_that_is_claimed_again_is_named_before_anything_is_done_for_it(
    url: str, study: StudyEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker may die at once, and the supervisor must know which trial is to blame."""
    store, optuna = open_store(url), quick_trials.optuna_study_of(url, study, 0)
    attempt = store.reserve(study, this_worker(), 1)
    assert attempt is not None
    number, params = optuna.ask()
    store.release(store.assign(attempt, number, params))
    said: list[Event] = []

    def die(number: int) -> None:
        raise MemoryError

    monkeypatch.setattr(optuna, "resume", die)
    worker = Worker(store, study, optuna, QuickTrials(), n_trials=1, deadline=None, say=said.append)
    with pytest.raises(MemoryError):
        worker.work()
    assert said == [Activity(f"trial {number}", number)]
    store.close()


@pytest.mark.slow
def test_a_space_of_few_points_is_exhausted_and_duplicates_do_not_count(url: str, study: StudyEntry) -> None:
    ending = quick_trials.work(url, 1000, seed=0, trials=QuickTrials(epoch_s=0.0, grid=0))
    store = open_store(url)
    records = store.records(study)
    duplicates = [record for record in records if record.outcome is Outcome.DUPLICATE]
    assert ending == "exhausted"
    assert len(duplicates) >= DUPLICATES_UNTIL_EXHAUSTED
    assert store.counted(study) == len(records) - len(duplicates) == 4  # two backbones x ratios 0 and 1
    assert all("duplicate of trial" in record.reason for record in duplicates)


def test_duplicates_of_a_trial_that_another_worker_trains_are_no_exhausted_space(url: str, study: StudyEntry) -> None:
    """The sampler learns when that trial ends, and goes on."""
    store, optuna = open_store(url), quick_trials.optuna_study_of(url, study, seed=1)
    elsewhere = store.reserve(study, WorkerId("another host", 1, 0.0), 2)
    assert elsewhere is not None
    number, _ = optuna.ask()
    elsewhere = store.assign(elsewhere, number, SAME)
    training = QuickTrials(0.0).run(number, SAME, _hooks_of(store, elsewhere))
    ended: list[TrialRecord] = []

    class _FirstTheSame(QuickTrials):
        def run(self, number: int, params: Mapping[str, ParamValue], hooks: Hooks) -> TrialRecord:
            return super().run(number, params if ended else SAME, hooks)

    def let_the_other_end(_seconds: float) -> None:
        assert len(store.records(study)) == DUPLICATES_UNTIL_EXHAUSTED
        store.add(study, training, elsewhere)
        optuna.tell(training)
        ended.append(training)

    mine = quick_trials.optuna_study_of(url, study, seed=2)
    worker = Worker(
        store, study, mine, _FirstTheSame(0.0), n_trials=2, deadline=None, say=say_nothing, sleep=let_the_other_end
    )
    assert worker.work() == "done"
    assert len(ended) == 1
    assert store.counted(study) == 2


def test_after_a_trial_without_enough_memory_another_process_goes_on(tmp_path: Path) -> None:
    """A library may fail from then on: the next trials of this process were stored as failed by that."""

    class Greedy(QuickTrials):
        def run(self, number: int, params: Mapping[str, ParamValue], hooks: Hooks) -> TrialRecord:
            if number == 1:
                return self.give_up(
                    number, params, "out of memory with batch 8 at 64 px on cpu: no memory", hooks.clock()
                )
            return super().run(number, params, hooks)

    url = f"sqlite:///{tmp_path / 'greedy.db'}"
    study = quick_trials.begin_study(url)
    assert quick_trials.work(url, 3, seed=0, trials=Greedy()) == "renew"
    store = open_store(url)
    assert [each.outcome for each in store.records(study)] == [Outcome.COMPLETE, Outcome.FAILED]
    assert quick_trials.work(url, 3, seed=0, trials=Greedy()) == "done"
    assert len(store.records(study)) == 3
    store.close()


def _hooks_of(store: Store, attempt: Attempt) -> Hooks:
    return Hooks(
        claim_identity=lambda identity: store.claim_identity(attempt, identity),
        report=lambda _: None,
        show_stage=lambda _: None,
        clock=utc_now,
        reason_to_stop=lambda *_: "",
    )


@dataclass(frozen=True)
class _Interrupting(QuickTrials):
    """Is interrupted in its second trial, as by SIGTERM."""

    def run(self, number: int, params: Mapping[str, ParamValue], hooks: Hooks) -> TrialRecord:
        if number == 1:
            raise KeyboardInterrupt
        return super().run(number, params, hooks)


def test_an_interrupted_trial_is_released_and_claimed_again(url: str, study: StudyEntry) -> None:
    with pytest.raises(KeyboardInterrupt):
        quick_trials.work(url, 3, seed=0, trials=_Interrupting())
    store = open_store(url)
    (waiting,) = store.open_attempts(study)
    assert (waiting.number, waiting.worker, waiting.tries) == (1, None, 1)
    released = quick_trials.optuna_study_of(url, study, 0).study.get_trials()[1]
    assert released.state is optuna.trial.TrialState.WAITING

    quick_trials.work(url, 3, seed=0)
    again = next(record for record in store.records(study) if record.number == 1)
    assert again.params == released.params
    assert store.counted(study) == 3


def test_optuna_is_told_the_records_that_a_crash_left_untold(url: str, study: StudyEntry) -> None:
    """The advice could not be written, and a crash came before `tell`: Optuna believes the trial to run."""
    store = open_store(url)
    optuna = quick_trials.optuna_study_of(url, study, 0)
    optuna.telling = optuna.tell = lambda record: None  # type: ignore[method-assign]
    _worker(store, study, optuna).work()
    assert len(optuna.unfinished()) == 2
    quick_trials.work(url, 2, seed=0)
    trials = quick_trials.optuna_study_of(url, study, 0).study.get_trials()
    assert [trial.state.name for trial in trials] == ["COMPLETE", "COMPLETE"]
    assert trials[0].constraints == {"latency_ms": pytest.approx(store.records(study)[0].constraints["latency_ms"])}


def test_optunas_study_is_rebuilt_from_the_records(url: str, study: StudyEntry) -> None:
    quick_trials.work(url, 6, seed=0)
    before = quick_trials.optuna_study_of(url, study, 0).study.get_trials()
    optuna.delete_study(study_name=study.sampler_name, storage=url)
    quick_trials.work(url, 6, seed=0)
    after = quick_trials.optuna_study_of(url, study, 0).study.get_trials()
    assert [(t.number, t.state, t.values, t.params) for t in after] == [
        (t.number, t.state, t.values, t.params) for t in before
    ]
    assert [t.constraints for t in after] == [t.constraints for t in before]


@pytest.mark.slow
def test_a_trial_that_kills_its_workers_is_given_up(url: str, study: StudyEntry) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.search.work.quick_trials"])
    for _ in range(TRIES_UNTIL_FAILED):
        killer = context.Process(target=_die_in_a_trial, args=(url,))
        killer.start()
        killer.join()
        assert killer.exitcode == -9
    quick_trials.work(url, 1, seed=0)
    (record,) = open_store(url).records(study)
    assert record.outcome is Outcome.FAILED
    assert "workers died 5 times" in record.reason


@dataclass(frozen=True)
class _Deadly(QuickTrials):
    def run(self, number: int, params: Mapping[str, ParamValue], hooks: Hooks) -> TrialRecord:
        import os
        import signal

        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("unreachable")


def _die_in_a_trial(url: str) -> None:
    quick_trials.work(url, 1, seed=0, trials=_Deadly())


def test_a_worker_that_lost_its_trial_stores_nothing(url: str, study: StudyEntry) -> None:
    store = open_store(url)
    lost: list[Attempt] = []

    @dataclass(frozen=True)
    class _Overtaken(QuickTrials):
        def run(self, number: int, params: Mapping[str, ParamValue], hooks: Hooks) -> TrialRecord:
            if not lost:
                lost.append(worker.held)  # type: ignore[arg-type]
                store.reconcile(study, lambda _: False, 0.0)  # everybody is taken for dead
            return super().run(number, params, hooks)

    worker = _worker(store, study, quick_trials.optuna_study_of(url, study, 0), _Overtaken())
    assert worker.work() == "done"
    records = store.records(study)
    assert [record.number for record in records] == [0, 1]
    assert store.open_attempts(study) == ()


def test_no_trial_begins_after_the_deadline(url: str, study: StudyEntry) -> None:
    store = open_store(url)
    optuna = quick_trials.optuna_study_of(url, study, 0)
    times = iter([0.0, 4.0, 4.5, 5.0, 6.0])  # at the start, before the first trial, around it, before the second
    worker = Worker(
        store, study, optuna, QuickTrials(), n_trials=9, deadline=5.5, say=say_nothing, monotonic=lambda: next(times)
    )
    assert worker.work() == "timeout"
    assert len(store.records(study)) == 1


def test_records_carry_the_time_of_the_clock_that_was_passed_in(url: str, study: StudyEntry) -> None:
    store, then = open_store(url), datetime(2026, 1, 2, tzinfo=UTC)
    optuna = quick_trials.optuna_study_of(url, study, 0)
    trials = QuickTrials()
    Worker(store, study, optuna, trials, n_trials=1, deadline=None, say=say_nothing, clock=lambda: then).work()
    (record,) = store.records(study)
    assert record.started == then


def _worker(store: Store, study: StudyEntry, optuna: OptunaStudy, trials: QuickTrials | None = None) -> Worker:
    return Worker(store, study, optuna, trials or QuickTrials(), n_trials=2, deadline=None, say=say_nothing)
