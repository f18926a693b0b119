"""Contract of stores: numbers of workers, and locks that are only taken if they are free."""

from __future__ import annotations

from dataclasses import replace

from search.store.base import Store, WorkerId
from search.store.runs.register import RunEntry
from search.store.sql import open_store
from tests.search.store.examples import ME, OTHER, as_processes

STUDY = ("nas_head", 1)
RUN = RunEntry(study="nas_head", generation=1, host="here", pid=7, started=1.5, job="41_1", gpus=2, gpu_hours=60.0)
ELSEWHERE = WorkerId("another host", 4711, 1_700_000_000.25)


def all_alive(run: WorkerId) -> bool | None:
    return None if run == ELSEWHERE else True


def mine_is_dead(run: WorkerId) -> bool | None:
    return None if run == ELSEWHERE else run != ME


class WorkerContract:
    def test_every_worker_of_a_study_has_another_number(self, store: Store) -> None:
        assert store.join(STUDY, ME, 2, all_alive) == (0, 1)
        assert store.join(STUDY, ELSEWHERE, 1, all_alive) == (2,)
        assert store.join(STUDY, OTHER, 2, all_alive) == (3, 4)

    def test_studies_and_generations_count_for_themselves(self, store: Store) -> None:
        for study in (STUDY, ("nas_head", 2), ("channel_ratio", 1)):
            assert store.join(study, ME, 1, all_alive) == (0,)

    def test_numbers_of_a_run_that_left_are_given_again(self, store: Store) -> None:
        store.join(STUDY, ME, 2, all_alive)
        store.join(STUDY, ELSEWHERE, 1, all_alive)
        store.leave(STUDY, ME)
        assert store.join(STUDY, OTHER, 3, all_alive) == (0, 1, 3)

    def test_numbers_of_a_dead_run_are_given_again_and_those_of_an_unknown_one_are_not(self, store: Store) -> None:
        store.join(STUDY, ME, 1, all_alive)
        store.join(STUDY, ELSEWHERE, 1, all_alive)
        assert store.join(STUDY, OTHER, 2, mine_is_dead) == (0, 2)

    def test_a_lock_that_is_free_is_held_without_waiting(self, store: Store) -> None:
        for _ in range(2):
            with store.exclusive_if_free("end") as is_held:
                assert is_held

    def test_the_entry_of_a_run_is_renewed_and_keeps_its_beginning(self, store: Store) -> None:
        store.note_run(RUN)
        store.note_run(replace(RUN, pid=8, job="41_2"))
        store.note_run(replace(RUN, study="another"))
        (begun, _) = store.runs("nas_head", 1)
        doing = ("trial 3: training, epoch 2 of 10", "training round-1")
        store.note_run(replace(RUN, doing=doing, progress_s=2.5, why="done"))
        first, second = store.runs("nas_head", 1)
        assert first.entry == replace(RUN, doing=doing, progress_s=2.5, why="done")
        assert (first.began, second.entry.job) == (begun.began, "41_2")
        assert 0.0 <= first.seconds < 60.0 and 0.0 <= first.age_s < 60.0
        assert first.gpu_hours == 2 * first.seconds / 3600.0
        assert store.runs("nas_head", 2) == ()


class SharedWorkerContract:
    def test_workers_that_join_at_the_same_time_have_different_numbers(self, store: Store, url: str) -> None:
        joined = as_processes(join, url, count=4)
        assert sorted(number for numbers in joined for number in numbers) == list(range(8))

    def test_a_lock_that_another_one_holds_is_left_to_it(self, store: Store, url: str) -> None:
        other = open_store(url)
        with store.exclusive_if_free("end"):
            with other.exclusive_if_free("end") as is_held:
                assert not is_held
            with other.exclusive_if_free("another") as is_held:
                assert is_held
        with other.exclusive_if_free("end") as is_held:
            assert is_held
        other.close()


def join(index: int, url: str) -> tuple[int, ...]:
    store = open_store(url)
    numbers = store.join(STUDY, replace(ME, pid=index), 2, all_alive)
    store.close()
    return numbers
