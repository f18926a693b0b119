"""A database that is away: whole calls are made again, the user is told once, and nothing is made twice."""

from __future__ import annotations

import itertools
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from optuna.trial import TrialState
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from objectives.base import EpochResult
from search.record.events import DatabaseBack, DatabaseLost, Event, say_nothing
from search.record.trial import TrialRecord
from search.store import database
from search.store.outage.patience import Patience
from search.store.sql import open_store
from search.trial.runner import Hooks
from spaces.base import ParamValue
from spaces.steps import steps_made
from tests.search.store.examples import ME, begin, new_study, record_of
from tests.search.store.postgres import PostgresServer
from tests.search.work import quick_trials

URL = "sqlite:///a.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/a.db"
    return str(request.getfixturevalue("postgres_url"))


def fault_of(code: int) -> sqlite3.OperationalError:
    fault = sqlite3.OperationalError("a fault")
    fault.sqlite_errorcode = code
    return fault


def lost_connection(url: str) -> DBAPIError:
    """The error that a driver raises when the way to the database breaks."""
    if url.startswith("sqlite"):
        return OperationalError("COMMIT", {}, fault_of(sqlite3.SQLITE_IOERR))
    return OperationalError("COMMIT", {}, psycopg.OperationalError("server closed the connection unexpectedly"))


class Clock:
    """Time that passes only while somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Faulty:
    """Raises the faults one after the other, then returns."""

    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)

    def __call__(self) -> str:
        if self.faults:
            raise self.faults.pop(0)
        return "done"


@pytest.fixture
def said() -> list[Event]:
    return []


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def patience(said: list[Event], clock: Clock) -> Patience:
    return Patience(60.0, said.append, has_answered=True, monotonic=clock.monotonic, sleep=clock.sleep)


def test_a_loss_and_a_return_are_said_once(patience: Patience, said: list[Event]) -> None:
    busy = [fault_of(sqlite3.SQLITE_BUSY) for _ in range(8)]
    assert patience.call(Faulty(*busy), URL) == "done"
    assert patience.call(Faulty(), URL) == "done"
    assert said == [
        DatabaseLost(f"{URL}: another program keeps it locked; waiting up to 60 s for it, trainings go on"),
        DatabaseBack(f"{URL} answers again, after 12 s"),
    ]


def test_a_connection_that_is_replaced_at_once_is_not_worth_a_word(patience: Patience, said: list[Event]) -> None:
    assert patience.call(Faulty(lost_connection("postgresql")), URL) == "done"
    assert said == []


def test_patience_has_an_end(patience: Patience, clock: Clock) -> None:
    with pytest.raises(DBAPIError):
        patience.call(Faulty(*[lost_connection("postgresql")] * 1000), URL)
    assert 60 <= clock.now < 65


def test_a_thread_may_wait_for_less(patience: Patience, clock: Clock, said: list[Event]) -> None:
    with patience.at_most(0), pytest.raises(OperationalError):
        patience.call(Faulty(lost_connection("postgresql")), URL)
    assert clock.now == 0
    assert [type(event) for event in said] == [DatabaseLost]  # the user knows although nobody waits


@pytest.mark.parametrize(
    "fault",
    [
        IntegrityError("INSERT", {}, psycopg.errors.UniqueViolation("twice")),
        OperationalError("SELECT", {}, psycopg.errors.UndefinedTable("no such table")),
        OperationalError("connect", {}, psycopg.errors.InvalidPassword("wrong")),
        fault_of(sqlite3.SQLITE_ERROR),
        fault_of(sqlite3.SQLITE_CONSTRAINT),
        fault_of(sqlite3.SQLITE_FULL),
        ValueError("NaN"),
    ],
    ids=lambda fault: type(fault.orig if hasattr(fault, "orig") else fault).__name__,
)
def test_what_does_not_pass_is_not_tried_again(patience: Patience, clock: Clock, fault: Exception) -> None:
    with pytest.raises(type(fault)):
        patience.call(Faulty(fault), URL)
    assert clock.now == 0


def test_a_server_that_never_answered_is_not_waited_for_unless_it_says_that_it_starts(clock: Clock) -> None:
    def fresh() -> Patience:
        return Patience(60.0, say_nothing, monotonic=clock.monotonic, sleep=clock.sleep)

    refused = psycopg.OperationalError('connection to server at "127.0.0.1" failed: Connection refused')
    with pytest.raises(OperationalError):
        fresh().call(Faulty(OperationalError("connect", {}, refused)), URL)
    starting = psycopg.OperationalError("FATAL:  the database system is starting up")
    assert fresh().call(Faulty(OperationalError("connect", {}, starting)), URL) == "done"


def every_other(count: int) -> bool:
    return count % 2 == 0


@contextmanager
def answers_to_commits_lost(url: str, which: Callable[[int], bool] = lambda count: count == 0) -> Iterator[list[int]]:
    """Some commits are made, and then the connection breaks before the answer; yields their numbers."""
    lost, counts = list[int](), itertools.count()

    def commit_without_answer(self: DefaultDialect, connection: Any) -> None:
        connection.commit()
        count = next(counts)
        if which(count):
            lost.append(count)
            raise lost_connection(url).orig or AssertionError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DefaultDialect, "do_commit", commit_without_answer)
        yield lost


def test_a_commit_whose_answer_was_lost_counts_once(url: str) -> None:
    store = open_store(url)
    study = new_study(store)
    with answers_to_commits_lost(url) as lost:
        attempt = store.reserve(study, ME, 1)
    assert lost == [0] and attempt is not None
    assert len(store.open_attempts(study)) == 1
    with answers_to_commits_lost(url):
        attempt = store.assign(attempt, 0, {"ratio": 0.5})
    with answers_to_commits_lost(url):
        front = store.add(study, record_of(0), attempt)
    assert front is not None and front.members == ("trial 0",)
    assert store.open_attempts(study) == ()
    assert [record.number for record in store.records(study)] == [0]
    assert len(store.fronts(study)) == 1
    with answers_to_commits_lost(url):
        assert store.add_study("nas_head", {}, study.objectives).generation == 2
    assert len(store.studies()) == 2
    store.close()


def test_optuna_keeps_one_trial_for_one_question_although_answers_are_lost(url: str) -> None:
    study = quick_trials.begin_study(url)
    optuna = quick_trials.optuna_study_of(url, study, seed=0)
    with answers_to_commits_lost(url, every_other) as lost:
        number, params = optuna.ask()
    assert len(lost) >= 2 and number == 0 and set(params) == {"backbone", "ratio"}
    assert [trial.state for trial in optuna.study.get_trials()] == [TrialState.RUNNING]
    with answers_to_commits_lost(url, every_other) as lost:
        optuna.tell(record_of(0, params=params))
    assert lost == [0]
    (told,) = optuna.study.get_trials()
    assert told.state is TrialState.COMPLETE and told.values == [0.4, 10.0] and told.params == params
    with answers_to_commits_lost(url, every_other):
        again = optuna.ask()[0]
        optuna.wait(again)
        optuna.resume(again)
    assert [trial.state for trial in optuna.study.get_trials()] == [TrialState.COMPLETE, TrialState.RUNNING]


def test_a_database_that_another_program_locks_is_waited_for(
    tmp_path: Path, said: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_S", 0.05)
    monkeypatch.setattr(database, "STEP_S", 0.05)
    store = open_store(f"sqlite:///{tmp_path}/a.db", Patience(30, said.append))
    study = new_study(store)
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(0.8, other.rollback).start()
    attempt = begin(store, study, 0)
    assert attempt.number == 0
    assert [type(event) for event in said] == [DatabaseLost, DatabaseBack]
    store.close()
    other.close()


@pytest.mark.parametrize("asks_optuna", [False, True])
def test_waiting_for_a_locked_file_makes_steps(
    asks_optuna: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that waits for another program's transaction does not hang; one wait may last a minute."""
    monkeypatch.setattr(database, "STEP_S", 0.05)
    url = f"sqlite:///{tmp_path}/a.db"
    study, store = quick_trials.begin_study(url), open_store(url)
    optuna = quick_trials.optuna_study_of(url, study, 0)
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    before = steps_made()
    threading.Timer(0.5, other.rollback).start()
    if asks_optuna:
        optuna.ask()
    else:
        begin(store, study, 0)
    assert steps_made() - before >= 3
    store.close()
    other.close()


def test_workers_elsewhere_are_not_taken_for_dead_after_the_database_was_away(
    tmp_path: Path, clock: Clock, patience: Patience
) -> None:
    store = open_store(f"sqlite:///{tmp_path}/a.db", patience)
    study = new_study(store)
    begin(store, study, 0)
    patience.call(Faulty(*[lost_connection("postgresql")] * 3), URL)
    time.sleep(0.05)  # by the database's clock
    assert store.reconcile(study, lambda worker: None, 0.01) == ()
    clock.now += 1
    assert store.reconcile(study, lambda worker: None, 0.01) == (0,)
    store.close()


def test_a_worker_trains_on_while_the_server_is_away_and_stores_when_it_is_back(
    postgres_server: PostgresServer, postgres_url: str, said: list[Event]
) -> None:
    study = quick_trials.begin_study(postgres_url)
    waits: list[float] = []

    class WithOutage(quick_trials.QuickTrials):
        """The server stops in the first epoch of trial 1, and starts again a second after the last one."""

        def run(self, number: int, params: Mapping[str, ParamValue], hooks: Hooks) -> TrialRecord:
            def report(result: EpochResult) -> None:
                if result.epoch == 1:
                    postgres_server.stop()
                began = time.monotonic()
                hooks.report(result)
                waits.append(time.monotonic() - began)
                if result.epoch == 3:
                    threading.Timer(1.0, postgres_server.start).start()

            return super().run(number, params, replace(hooks, report=report) if number == 1 else hooks)

    assert quick_trials.work(postgres_url, 3, 0, trials=WithOutage(), patience=Patience(60, said.append)) == "done"
    assert len(waits) == 3 and max(waits) < 1
    assert [type(event) for event in said] == [DatabaseLost, DatabaseBack]
    store = open_store(postgres_url)
    records = store.records(study)
    assert [record.number for record in records] == [0, 1, 2] and all(len(record.rungs) == 3 for record in records)
    assert store.open_attempts(study) == ()
    assert quick_trials.optuna_study_of(postgres_url, study, seed=0).unfinished() == ()
    store.close()
