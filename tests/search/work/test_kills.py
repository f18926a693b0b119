"""Workers are killed with kill -9 at random moments; what the database then holds must be exact."""

from __future__ import annotations

import multiprocessing
import random
import time
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from search.record.front import hypervolume, non_dominated
from search.record.trial import Outcome
from search.store.base import Store
from search.store.sql import open_store
from tests.search.work import quick_trials

pytestmark = pytest.mark.slow

N_TRIALS = 40
WORKERS = 4
KILLS = 25


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'kills.db'}"
    return str(request.getfixturevalue("postgres_url"))


def test_a_study_whose_workers_are_killed_at_random_ends_exact(url: str, tmp_path: Path) -> None:
    study = quick_trials.begin_study(url)
    acknowledged = tmp_path / "acknowledged"
    acknowledged.touch()
    _kill_and_restart(url, acknowledged)
    quick_trials.work(url, N_TRIALS, seed=99, acknowledged=acknowledged)  # the same command once more, undisturbed

    store = open_store(url)
    records = store.records(study)
    numbers = [record.number for record in records]
    assert len(set(numbers)) == len(numbers), "a trial was counted twice"
    assert {int(line) for line in acknowledged.read_text().split()} <= set(numbers), "a finished trial was lost"
    assert store.counted(study) == N_TRIALS
    assert store.open_attempts(study) == ()
    assert all(len(record.rungs) == 3 or record.outcome is not Outcome.COMPLETE for record in records)
    _optuna_agrees(url, store)
    _front_is_exact(store)
    store.close()


def _kill_and_restart(url: str, acknowledged: Path) -> None:
    """Keep four workers going, and kill a random one again and again."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.search.work.quick_trials"])
    dice = random.Random(5)
    workers: list[ForkServerProcess] = []
    for kill in range(KILLS):
        workers = [worker for worker in workers if worker.is_alive()]
        while len(workers) < WORKERS:
            worker = context.Process(
                target=quick_trials.work, args=(url, N_TRIALS, kill * 10 + len(workers), acknowledged)
            )
            worker.start()
            workers.append(worker)
        time.sleep(dice.uniform(0.02, 0.25))  # the moment of the kill is the point: it must be anywhere
        victim = dice.choice(workers)
        victim.kill()
        victim.join()
    for worker in workers:
        worker.kill()
        worker.join()


def _optuna_agrees(url: str, store: Store) -> None:
    study = store.latest_study("quick")
    assert study is not None
    optuna = quick_trials.optuna_study_of(url, study, seed=0)
    assert optuna.unfinished() == (), "a trial was left RUNNING or WAITING"
    trials = {trial.number: trial for trial in optuna.study.get_trials(deepcopy=False)}
    for record in store.records(study):
        assert record.number is not None
        told = trials[record.number]
        if record.outcome is Outcome.COMPLETE:
            assert told.values == [record.value("map50_95"), record.value("latency_ms")]
            assert told.params == dict(record.params)


def _front_is_exact(store: Store) -> None:
    study = store.latest_study("quick")
    assert study is not None
    complete = [r for r in store.records(study) if r.outcome is Outcome.COMPLETE and r.feasible]
    values = [[r.value("map50_95") or 0.0, r.value("latency_ms") or 0.0] for r in complete]
    directions = [direction for _, direction in study.objectives]
    best = [complete[index] for index in non_dominated(values, directions)]
    last = store.fronts(study)[-1]
    assert set(last.members) == {record.name for record in best}
    expected = hypervolume(values, directions, study.frozen["reference_point"])
    assert last.hypervolume == pytest.approx(expected, rel=1e-12)  # the same sum, in another order
