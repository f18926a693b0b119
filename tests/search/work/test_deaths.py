"""Causes of death in words; and trials that are given up because of them."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from search.kept.takes import EarlierTakes
from search.record.trial import Outcome
from search.store.base import Attempt, OpenAttempt, Store, StudyEntry
from search.store.outage.long_wait import LongWait
from search.store.sql import open_store
from search.work import heartbeat, liveness
from search.work.deaths import MemoryKills, cause_of_death, reason_to_give_up
from search.work.liveness import Heartbeats, this_worker
from spaces.steps import note_step, steps_made
from tests.search.work import quick_trials

NONE, ONE = MemoryKills(own=0, machine=0), MemoryKills(own=1, machine=1)


@pytest.mark.parametrize(
    ("exit_code", "now", "cause"),
    [
        (1, ONE, "exit code 1"),
        (-11, ONE, "signal 11 (Segmentation fault)"),
        (-9, NONE, "signal 9 (Killed)"),
        (-9, ONE, "signal 9 (Killed), by the kernel's out-of-memory killer"),
        (-9, MemoryKills(own=None, machine=1), "signal 9 (Killed), probably by the kernel's out-of-memory killer"),
        (-9, MemoryKills(own=None, machine=None), "signal 9 (Killed)"),
    ],
)
def test_a_cause_names_signal_exit_code_and_the_memory_killer(exit_code: int, now: MemoryKills, cause: str) -> None:
    assert cause_of_death(exit_code, NONE, now) == cause


@pytest.mark.skipif(not Path("/proc/vmstat").exists(), reason="not Linux")
def test_the_kernel_tells_how_many_processes_it_has_killed_for_memory() -> None:
    assert MemoryKills.now().machine is not None


@pytest.mark.parametrize(
    ("tries", "deaths", "reason"),
    [
        (5, ("signal 9 (Killed)",) * 4, ""),
        (6, (), "its workers died 5 times; out of memory is the usual cause"),
        (6, ("exit code 1", "signal 9 (Killed)"), "its workers died 5 times, last by signal 9 (Killed)"),
        (2, ("no progress for 612 s (trial 3: training)",), ""),
        (3, ("no progress for 600 s", "exit code 1", "no progress for 612 s"), "its workers hung 2 times, last: no"),
    ],
)
def test_a_trial_is_given_up_after_five_deaths_or_two_hangs(tries: int, deaths: tuple[str, ...], reason: str) -> None:
    said = reason_to_give_up(Attempt(1, 1, "token", 3, tries, {}, deaths))
    assert said.startswith(reason) and bool(said) == bool(reason)


@pytest.mark.parametrize(
    ("progress", "reason"),
    [
        (EarlierTakes(takes=2), "its workers hung 2 times"),
        (EarlierTakes(takes=2, tries=3, deaths=1), ""),  # it got further after two deaths
        (EarlierTakes(takes=3, tries=3, deaths=1), "it was taken up 3 times without getting further"),
    ],
)
def test_deaths_before_a_trial_got_further_do_not_count(progress: EarlierTakes, reason: str) -> None:
    said = reason_to_give_up(Attempt(1, 1, "token", 3, 6, {}, ("no progress for 612 s",) * 2), progress)
    assert reason in said and bool(said) == bool(reason)


def test_a_trial_that_hung_twice_is_stored_as_failed_and_the_study_goes_on(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'hung.db'}"
    study, store = quick_trials.begin_study(url), open_store(url)
    optuna = quick_trials.optuna_study_of(url, study, 0)
    number, params = optuna.ask()
    attempt = store.reserve(study, this_worker(), 3)
    assert attempt is not None
    store.release(store.assign(attempt, number, params))
    optuna.wait(number)
    for _ in range(2):
        store.note_death(study, number, "no progress for 612 s (trial 0: training, epoch 2 of 3)")
    assert quick_trials.work(url, 3, seed=0) == "done"
    (failed, *others) = store.records(study)
    assert failed.outcome is Outcome.FAILED
    assert failed.reason == "its workers hung 2 times, last: no progress for 612 s (trial 0: training, epoch 2 of 3)"
    assert [record.outcome for record in others] == [Outcome.COMPLETE, Outcome.COMPLETE]
    store.close()


def test_the_age_of_a_heartbeat_is_counted_over_the_own_looks() -> None:
    """The database's clock says that each heartbeat is an hour old; the database is away between the last two looks."""
    now, beat = 0.0, datetime(2026, 1, 1, tzinfo=UTC)
    heartbeats = Heartbeats(monotonic=lambda: now)

    def look(at: float, heartbeat: datetime) -> float:
        nonlocal now
        now = at
        heartbeats.look([OpenAttempt(1, this_worker(), 1, 3600.0, heartbeat)])
        return heartbeats.idle_s(this_worker())

    assert [look(at, beat) for at in (10.0, 20.0, 40.0)] == [0.0, 10.0, 30.0]
    assert look(50.0, beat + timedelta(seconds=15)) == 0.0
    assert look(900.0, beat + timedelta(seconds=15)) == 2 * liveness.HEARTBEAT_S
    assert heartbeats.idle_s(replace(this_worker(), pid=1)) == 0.0


def test_a_worker_that_hangs_writes_no_heartbeats_although_its_thread_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'hung.db'}"
    study, store = quick_trials.begin_study(url), open_store(url)
    held = store.reserve(study, this_worker(), 1)
    monkeypatch.setattr(heartbeat, "HEARTBEAT_S", 0.02)
    thread = heartbeat.Heartbeat(store, lambda: held, hung_after_s=0.1)
    before = signal.getsignal(signal.SIGUSR1)
    thread.start()
    try:
        first = _heartbeat(store, study)
        _until(lambda: _heartbeat(store, study) != first)
        _until(lambda: thread.hangs)
        last = _heartbeat(store, study)
        time.sleep(0.1)
        assert _heartbeat(store, study) == last
        note_step()
        _until(lambda: _heartbeat(store, study) != last)
    finally:
        thread.stop()
        signal.signal(signal.SIGUSR1, before)
        store.close()


def test_waiting_for_a_lock_of_the_database_makes_steps(tmp_path: Path) -> None:
    """The holder may train the parent for hours."""
    url = f"sqlite:///{tmp_path / 'locked.db'}"
    store, other = open_store(url), open_store(url)
    with store.exclusive("prepare"):
        before, waiting = steps_made(), threading.Thread(target=_hold, args=(other,))
        waiting.start()
        _until(lambda: steps_made() > before)
    waiting.join()
    store.close()
    other.close()


def test_who_waits_long_for_a_lock_of_the_database_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    times = iter([0.0, 1.0, 599.0, 660.0, 1000.0])
    wait = LongWait("prepare 3", "`fuser -v a.lock` names its process", monotonic=lambda: next(times))
    for _ in range(4):
        wait.look()
    assert [record.getMessage() for record in caplog.records] == [
        "waiting for 'prepare 3' for 11 min: another worker does it, or was stopped (Ctrl-Z) while it did; "
        "`fuser -v a.lock` names its process"
    ]


def _hold(store: Store) -> None:
    with store.exclusive("prepare"):
        pass


def _heartbeat(store: Store, study: StudyEntry) -> datetime:
    (attempt,) = store.open_attempts(study)
    return attempt.heartbeat


def _until(happened: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < give_up
        time.sleep(0.01)
