"""Contract of shared stores when processes start together, wait, are interrupted or die."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from objectives.base import EpochResult
from search.record.trial import TrialRecord
from search.store.base import Store, StudyEntry, WorkerId
from search.store.sql import open_store
from tests.search.store.contract_records import recomputed
from tests.search.store.examples import OBJECTIVES, as_processes, begin, record_of

FORK = get_context("fork")
TRIALS, KILLS = 24, 12

HoldDatabase = Callable[[StudyEntry], AbstractContextManager[None]]


class Interrupted(Exception):
    """Raised by a signal's handler, as the worker's own is."""


class FaultContract:
    def test_eight_processes_start_on_an_empty_database(self, empty_url: str) -> None:
        assert as_processes(first_start, empty_url, count=8) == [1] * 8

    def test_studies_added_at_once_get_generations_of_their_own(self, store: Store, url: str) -> None:
        assert sorted(as_processes(add_same_name, url, count=6)) == [1, 2, 3, 4, 5, 6]

    def test_a_named_lock_admits_one_at_a_time(self, store: Store, url: str, tmp_path: Path) -> None:
        counter = tmp_path / "counter"
        counter.write_text("0")
        as_processes(count_up, url, counter, count=4)
        assert counter.read_text() == "40"

    def test_a_named_lock_is_free_when_its_holder_was_killed(self, store: Store, url: str) -> None:
        here, there = Pipe()
        holder = FORK.Process(target=hold_lock, args=(url, there))
        holder.start()
        assert here.recv() == "held"
        os.kill(holder.pid or 0, signal.SIGKILL)
        holder.join()
        with interruption_in(20), store.exclusive("parent"):
            pass

    def test_a_named_lock_that_another_holds_is_not_waited_for(self, store: Store, url: str) -> None:
        here, there = Pipe()
        holder = FORK.Process(target=hold_lock, args=(url, there))
        holder.start()
        assert here.recv() == "held"
        with interruption_in(20), store.exclusive_if_free("parent") as is_held:
            assert not is_held
        os.kill(holder.pid or 0, signal.SIGKILL)
        holder.join()
        with interruption_in(20), store.exclusive("parent"):
            pass  # a server frees it some milliseconds after the death
        with store.exclusive_if_free("parent") as is_held:
            assert is_held
        with store.exclusive_if_free("parent") as is_held:
            assert is_held, "the block before has freed it"

    def test_locks_of_different_names_do_not_wait_for_each_other(self, store: Store) -> None:
        with interruption_in(20), store.exclusive("parent"), store.exclusive("donors"):
            pass

    def test_work_goes_on_while_a_named_lock_is_held(self, store: Store, study: StudyEntry) -> None:
        with interruption_in(20), store.exclusive("parent"):
            begin(store, study, 0)

    @pytest.mark.slow
    def test_killed_at_random_nothing_acknowledged_is_lost_or_doubled(
        self, store: Store, study: StudyEntry, url: str
    ) -> None:
        chance = random.Random(11)
        acknowledged: list[int] = []
        for life in range(KILLS + 1):
            here, there = Pipe()
            worker = FORK.Process(target=work, args=(url, study, life, there))
            worker.start()
            there.close()
            if life < KILLS:
                # After so many acknowledged steps, at whatever point the worker is by then.
                acknowledged += read(here, chance.randint(1, 6))
                os.kill(worker.pid or 0, signal.SIGKILL)
            acknowledged += read(here, None)
            worker.join()
            store.reconcile(study, lambda dead: False, 1e9)
            assert worker.exitcode == (-signal.SIGKILL if life < KILLS else 0)
        records = store.records(study)
        numbers = [record.number for record in records if record.number is not None]
        assert sorted(numbers) == sorted(set(numbers))
        assert set(acknowledged) <= set(numbers)
        assert len(numbers) == store.counted(study) == TRIALS
        assert store.open_attempts(study) == ()
        front = store.fronts(study)[-1]
        members, volume = recomputed(list(records))
        assert set(front.members) == members
        assert front.hypervolume == pytest.approx(volume)

    def test_an_interruption_is_heard_while_another_holds_the_database(
        self, store: Store, study: StudyEntry, hold_database: HoldDatabase
    ) -> None:
        held = begin(store, study, 0)
        with hold_database(study), pytest.raises(Interrupted), interruption_in(0.3):
            store.claim_identity(held, "mine")
        store.release(held)
        assert [attempt.worker for attempt in store.open_attempts(study)] == [None]

    def test_a_forked_process_uses_connections_of_its_own(self, store: Store, study: StudyEntry) -> None:
        process = FORK.Process(target=begin, args=(store, study, 0))
        with interruption_in(30):  # on a shared connection each would wait for the other's answers
            process.start()
            begin(store, study, 1)
            process.join()
        assert process.exitcode == 0
        assert {attempt.number for attempt in store.open_attempts(study)} == {0, 1}


def first_start(index: int, url: str) -> int:
    """Open, and write something; how often the study's first fact was stored."""
    store = open_store(url)
    with store.exclusive("open"):
        study = store.latest_study("nas_head") or store.add_study("nas_head", {}, OBJECTIVES)
    store.freeze(study, {"who": index})
    count = len(store.studies())
    store.close()
    return count


def add_same_name(index: int, url: str) -> int:
    store = open_store(url)
    generation = store.add_study("nas_head", {"by": index}, OBJECTIVES).generation
    store.close()
    return generation


def count_up(index: int, url: str, counter: Path) -> None:
    store = open_store(url)
    for _ in range(10):
        with store.exclusive("counter"):
            counter.write_text(str(int(counter.read_text()) + 1))
    store.close()


def hold_lock(url: str, there: Connection) -> None:
    store = open_store(url)
    with store.exclusive("parent"):
        there.send("held")
        signal.pause()


def work(url: str, study: StudyEntry, life: int, there: Connection) -> None:
    """A worker without a trainer: sends -1 after each call, and a trial's number once it is stored."""
    store = open_store(url)
    me = WorkerId("here", os.getpid(), 0.0)
    while attempt := store.reserve(study, me, TRIALS):
        there.send(-1)
        if attempt.number is None:
            # As from Optuna: a number that nobody had, though its last asker may have died before using it.
            number = next_number(store, study)
            attempt = store.assign(attempt, number, {"life": life})
        assert attempt.number is not None
        store.claim_identity(attempt, f"identity of {attempt.number}")
        there.send(-1)
        for epoch in (1, 2):
            store.report(attempt, EpochResult(epoch, 0.1, 0.2, 3.0, 1.0))
            there.send(-1)
        store.add(study, made(attempt.number), attempt)
        there.send(attempt.number)
    store.close()


def next_number(store: Store, study: StudyEntry) -> int:
    stored = {record.number for record in store.records(study)}
    held = {attempt.number for attempt in store.open_attempts(study)}
    return next(number for number in range(TRIALS * 10) if number not in stored | held)


def made(number: int) -> TrialRecord:
    chance = random.Random(number)
    return record_of(number, chance.random(), chance.uniform(1, 60))


def read(here: Connection, count: int | None) -> list[int]:
    """Trial numbers among the next `count` messages, or among all until the sender is gone."""
    found = []
    try:
        while count is None or count > 0:
            number = here.recv()
            count = None if count is None else count - 1
            if number >= 0:
                found.append(number)
    except EOFError:
        pass
    return found


@contextmanager
def interruption_in(seconds: float) -> Iterator[None]:
    """Raise `Interrupted` in the main thread if the block takes that long."""

    def interrupt(_signal: int, _frame: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
