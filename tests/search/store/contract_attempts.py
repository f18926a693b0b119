"""Contract of stores: attempts, and who works on which trial."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from objectives.base import EpochResult
from search.record.trial import Outcome
from search.store.base import AlreadyStored, Attempt, Fenced, Store, StudyEntry, WorkerId
from search.store.sql import open_store
from tests.search.store.examples import (
    ME,
    OTHER,
    add_trial,
    as_processes,
    begin,
    new_study,
    record_of,
    reference_of,
)

ANY_AGE = -1.0  # every heartbeat is older than this


def all_dead(worker: WorkerId) -> bool:
    return False


def all_alive(worker: WorkerId) -> bool:
    return True


def nobody_knows(worker: WorkerId) -> None:
    return None


class AttemptContract:
    def test_trials_are_opened_until_the_limit(self, store: Store, study: StudyEntry) -> None:
        opened = [store.reserve(study, ME, 2) for _ in range(3)]
        assert [attempt is not None for attempt in opened] == [True, True, False]

    def test_a_stored_trial_keeps_its_place(self, store: Store, study: StudyEntry) -> None:
        add_trial(store, study, record_of(0, outcome=Outcome.FAILED, reason="loss is nan"))
        assert store.reserve(study, ME, 1) is None

    def test_neither_duplicates_nor_reference_rows_take_a_place(self, store: Store, study: StudyEntry) -> None:
        store.add(study, reference_of("parent"), None)
        add_trial(store, study, record_of(0, outcome=Outcome.DUPLICATE, reason="equals parent"))
        assert store.counted(study) == 0
        assert store.reserve(study, ME, 1) is not None

    def test_places_are_counted_for_each_study_alone(self, store: Store, study: StudyEntry) -> None:
        add_trial(store, study, record_of(0))
        assert store.reserve(new_study(store, "channel_ratio"), ME, 1) is not None

    def test_a_released_attempt_is_claimed_first_and_counts_no_further_try(
        self, store: Store, study: StudyEntry
    ) -> None:
        first, second = begin(store, study, 0), begin(store, study, 1)
        store.release(second)
        store.release(first)
        again = store.reserve(study, OTHER, 2)
        assert again is not None
        assert (again.number, again.params, again.tries) == (0, first.params, 1)
        assert again.token != first.token

    def test_handing_back_a_trial_without_a_number_leaves_nothing_open(self, store: Store, study: StudyEntry) -> None:
        attempt = store.reserve(study, ME, 1)
        assert attempt is not None
        store.release(attempt)
        assert store.open_attempts(study) == ()

    def test_whoever_lost_a_trial_can_do_nothing_to_it(self, store: Store, study: StudyEntry) -> None:
        lost = begin(store, study, 0)
        store.release(lost)
        while_waiting = store.open_attempts(study)
        assert [each.params for each in while_waiting] == [lost.params]
        self._every_call_is_fenced(store, study, lost)
        assert [(a.number, a.worker, a.tries) for a in store.open_attempts(study)] == [
            (a.number, a.worker, a.tries) for a in while_waiting
        ]
        holder = store.reserve(study, OTHER, 1)
        assert holder is not None
        self._every_call_is_fenced(store, study, lost)
        store.release(lost)
        store.heartbeat(holder)
        assert store.records(study) == ()

    def _every_call_is_fenced(self, store: Store, study: StudyEntry, lost: Attempt) -> None:
        calls: tuple[Callable[[], object], ...] = (
            lambda: store.heartbeat(lost),
            lambda: store.assign(lost, 5, {}),
            lambda: store.claim_identity(lost, "mine"),
            lambda: store.report(lost, EpochResult(1, 0.1, 0.2, 3.0, 1.0)),
            lambda: store.add(study, record_of(0), lost),
        )
        for call in calls:
            with pytest.raises(Fenced, match="trial 0 was given to another worker"):
                call()

    def test_a_number_is_assigned_once_in_a_study(self, store: Store, study: StudyEntry) -> None:
        begin(store, study, 3)
        attempt = store.reserve(study, OTHER, 9)
        assert attempt is not None
        with pytest.raises(AlreadyStored, match="trial 3"):
            store.assign(attempt, 3, {})
        assert store.assign(attempt, 4, {}).number == 4
        begin(store, new_study(store, "channel_ratio"), 3)

    def test_an_attempt_gets_one_number(self, store: Store, study: StudyEntry) -> None:
        with pytest.raises(AlreadyStored, match="has trial number 0 already"):
            store.assign(begin(store, study, 0), 1, {})

    def test_a_dead_workers_trial_waits_with_one_try_more(self, store: Store, study: StudyEntry) -> None:
        held = begin(store, study, 0)
        assert store.reconcile(study, all_dead, 1e9) == (0,)
        assert [(a.worker, a.tries) for a in store.open_attempts(study)] == [(None, 2)]
        again = store.reserve(study, OTHER, 1)
        assert again is not None
        assert (again.number, again.tries, again.params) == (0, 2, held.params)

    def test_what_workers_died_of_stays_with_the_trial_until_it_is_finished(
        self, store: Store, study: StudyEntry
    ) -> None:
        begin(store, study, 0)
        store.note_death(study, 0, "signal 9 (Killed)")
        store.note_death(study, 0, "no progress for 612 s")
        store.note_death(study, 7, "of no trial of this study")
        store.reconcile(study, all_dead, 1e9)
        again = store.reserve(study, OTHER, 1)
        assert again is not None
        assert again.deaths == ("signal 9 (Killed)", "no progress for 612 s")
        store.add(study, record_of(0), again)
        store.note_death(study, 0, "too late")
        assert store.open_attempts(study) == ()

    def test_reconciling_again_changes_nothing(self, store: Store, study: StudyEntry) -> None:
        begin(store, study, 0)
        store.reconcile(study, all_dead, 1e9)
        assert store.reconcile(study, all_dead, 1e9) == ()
        assert [attempt.tries for attempt in store.open_attempts(study)] == [2]

    def test_a_dead_workers_trial_without_a_number_is_removed(self, store: Store, study: StudyEntry) -> None:
        store.reserve(study, ME, 1)
        assert store.reconcile(study, all_dead, 1e9) == ()
        assert store.open_attempts(study) == ()

    def test_living_workers_keep_their_trials(self, store: Store, study: StudyEntry) -> None:
        held = begin(store, study, 0)
        assert store.reconcile(study, all_alive, ANY_AGE) == ()
        store.heartbeat(held)

    def test_of_a_worker_elsewhere_the_heartbeats_age_decides(self, store: Store, study: StudyEntry) -> None:
        held = begin(store, study, 0)
        assert store.reconcile(study, nobody_knows, 3600.0) == ()
        store.heartbeat(held)
        assert store.reconcile(study, nobody_knows, ANY_AGE) == (0,)

    def test_only_the_named_study_is_reconciled(self, store: Store, study: StudyEntry) -> None:
        held = begin(store, study, 0)
        assert store.reconcile(new_study(store, "channel_ratio"), all_dead, 1e9) == ()
        store.heartbeat(held)

    def test_open_attempts_show_worker_and_age_by_the_databases_clock(
        self, store: Store, study: StudyEntry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("time.time", lambda: 4e9)  # a worker whose clock is decades ahead
        begin(store, study, 0)
        (attempt,) = store.open_attempts(study)
        assert attempt.worker == ME
        assert -1 < attempt.heartbeat_age_s < 60  # -1: one clock, but read twice and kept to the millisecond

    def test_an_identity_is_claimed_once_among_open_trials(self, store: Store, study: StudyEntry) -> None:
        first, second = begin(store, study, 0), begin(store, study, 1, OTHER)
        assert store.claim_identity(first, "same") is None
        assert store.claim_identity(second, "same") == "trial 0"
        assert store.claim_identity(second, "another") is None

    def test_a_waiting_trial_keeps_its_claim_and_finds_it_its_own(self, store: Store, study: StudyEntry) -> None:
        first, second = begin(store, study, 0), begin(store, study, 1, OTHER)
        store.claim_identity(first, "same")
        store.reconcile(study, lambda worker: worker != ME, 1e9)
        assert store.claim_identity(second, "same") == "trial 0"
        again = store.reserve(study, OTHER, 2)
        assert again is not None
        assert store.claim_identity(again, "same") is None

    @pytest.mark.parametrize("outcome", [Outcome.COMPLETE, Outcome.STOPPED, Outcome.RULED_OUT, Outcome.FAILED])
    def test_a_stored_trial_keeps_its_identity(self, store: Store, study: StudyEntry, outcome: Outcome) -> None:
        add_trial(store, study, record_of(0, identity="same", outcome=outcome))
        assert store.claim_identity(begin(store, study, 1), "same") == "trial 0"

    def test_a_reference_row_has_its_identity_and_a_duplicate_has_none(self, store: Store, study: StudyEntry) -> None:
        store.add(study, reference_of("round-2", identity="same"), None)
        add_trial(store, study, record_of(0, identity="double", outcome=Outcome.DUPLICATE, reason="equals x"))
        attempt = begin(store, study, 1)
        assert store.claim_identity(attempt, "same") == "round-2"
        assert store.claim_identity(attempt, "double") is None

    def test_identities_of_another_study_are_free(self, store: Store, study: StudyEntry) -> None:
        store.claim_identity(begin(store, study, 0), "same")
        other = new_study(store, "channel_ratio")
        assert store.claim_identity(begin(store, other, 0), "same") is None


class SharedAttemptContract:
    """Promises among processes; not for a database in memory."""

    def test_processes_that_reserve_at_once_never_get_one_place_twice(
        self, store: Store, study: StudyEntry, url: str
    ) -> None:
        taken = as_processes(reserve_all, url, study, 23, count=6)
        ids = [attempt_id for part in taken for attempt_id in part]
        assert len(ids) == len(set(ids)) == 23

    def test_waiting_trials_are_taken_up_once_each(self, store: Store, study: StudyEntry, url: str) -> None:
        for number in range(12):
            begin(store, study, number)
        store.reconcile(study, all_dead, 1e9)
        taken = as_processes(reserve_all, url, study, 12, count=4)
        assert len({attempt_id for part in taken for attempt_id in part}) == sum(map(len, taken)) == 12

    def test_processes_that_claim_one_identity_at_once_agree_on_one(
        self, store: Store, study: StudyEntry, url: str
    ) -> None:
        answers = as_processes(claim_same, url, study, count=6)
        winner = answers.index(None)
        assert answers == [None if index == winner else f"trial {winner}" for index in range(6)]


def reserve_all(index: int, url: str, study: StudyEntry, limit: int) -> list[int]:
    """Reserve until nothing is left; the ids of what was got."""
    store = open_store(url)
    got = []
    while attempt := store.reserve(study, WorkerId("host", index, 0.0), limit):
        got.append(attempt.id)
    store.close()
    return got


def claim_same(index: int, url: str, study: StudyEntry) -> str | None:
    store = open_store(url)
    answer = store.claim_identity(begin(store, study, index), "same")
    store.close()
    return answer
