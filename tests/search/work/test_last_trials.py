"""The end of a study by several jobs: who leaves while others run the last trials, and who takes a dead job's trial."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from search.record.events import say_nothing
from search.store.base import Store, StudyEntry, WorkerId
from search.store.sql import open_store
from search.work.job import LEFT
from search.work.liveness import STALE_AFTER_S, this_worker
from search.work.worker import Worker
from tests.search.work import quick_trials
from tests.search.work.quick_trials import QuickTrials

ELSEWHERE = WorkerId("another host", 1, 0.0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    quick_trials.begin_study(url)
    with closing(open_store(url)) as opened:
        yield opened


@pytest.fixture
def study(store: Store) -> StudyEntry:
    found = store.latest_study("quick")
    assert found is not None
    return found


def _worker(store: Store, study: StudyEntry, tmp_path: Path, sleep: Callable[[float], None]) -> Worker:
    optuna = quick_trials.optuna_study_of(f"sqlite:///{tmp_path / 'study.db'}", study, 0)
    return Worker(
        store,
        study,
        optuna,
        QuickTrials(epoch_s=0.0),
        n_trials=2,
        deadline=None,
        say=say_nothing,
        sleep=sleep,
    )


def _never(_seconds: float) -> None:
    raise AssertionError("it waits")


def test_a_worker_leaves_while_a_live_worker_of_its_machine_runs_the_last_trial(
    store: Store, study: StudyEntry, tmp_path: Path
) -> None:
    assert store.reserve(study, this_worker(), 2) is not None
    assert _worker(store, study, tmp_path, _never).work(leaves=True) == LEFT
    assert store.counted(study) == 1


def test_a_worker_leaves_another_machines_trial_only_after_a_new_heartbeat(
    store: Store, study: StudyEntry, tmp_path: Path
) -> None:
    attempt = store.reserve(study, ELSEWHERE, 2)
    assert attempt is not None
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            store.heartbeat(attempt)

    assert _worker(store, study, tmp_path, wait).work(leaves=True) == LEFT
    assert len(waited) == 3


def test_a_worker_takes_up_what_another_hands_back_while_it_waits(
    store: Store, study: StudyEntry, tmp_path: Path
) -> None:
    attempt = store.reserve(study, ELSEWHERE, 2)
    assert attempt is not None
    worker = _worker(store, study, tmp_path, lambda _: store.release(attempt))
    assert worker.work(leaves=True) == "done"
    assert store.counted(study) == 2


def test_a_worker_takes_up_the_trial_of_a_machine_that_has_died(
    store: Store, study: StudyEntry, tmp_path: Path
) -> None:
    assert store.reserve(study, ELSEWHERE, 2) is not None

    def wait(_seconds: float) -> None:
        store.reconcile(study, lambda _: None, -STALE_AFTER_S)  # as if three minutes had passed

    assert _worker(store, study, tmp_path, wait).work(leaves=True) == "done"
    assert store.counted(study) == 2


def test_a_worker_outside_of_a_job_waits_for_the_last_trial(store: Store, study: StudyEntry, tmp_path: Path) -> None:
    attempt = store.reserve(study, this_worker(), 2)
    assert attempt is not None
    assert _worker(store, study, tmp_path, lambda _: store.release(attempt)).work(leaves=False) == "done"
    assert store.counted(study) == 2
