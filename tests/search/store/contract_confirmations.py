"""Contract of stores: confirmations of a study's finalists."""

from __future__ import annotations

from dataclasses import replace

import pytest

from search.record.confirmation import Confirmation, Finalist
from search.store.base import Store, StoreError, StudyEntry
from tests.search.store.examples import add_trial, new_study, record_of, reference_of

FAST = Finalist("trial 0", 5.1, 5.0, 1 / 3 + 5, 0.4, 48, ("parent",), (5.1, 0.1 + 0.2))
SLOW = Finalist("parent", 5.2, 5.1, 5.3, 0.41, 48, ("trial 0",), (5.2,))
QUIET: dict[str, object] = {"others_busy": 0.02, "mhz": None, "celsius": None, "foreign": []}
CONFIRMATION = Confirmation("cpu", "wall", (FAST, SLOW), QUIET)


class ConfirmationContract:
    def test_a_study_that_was_not_confirmed_says_so(self, store: Store, study: StudyEntry) -> None:
        assert store.confirmations(study) == ()

    def test_confirmations_come_back_whole_and_in_the_order_they_were_added(
        self, store: Store, study: StudyEntry
    ) -> None:
        store.add(study, reference_of("parent"), None)
        add_trial(store, study, record_of(0))
        first = store.add_confirmation(study, CONFIRMATION)
        second = store.add_confirmation(study, replace(CONFIRMATION, circumstances=None, clock="cpu", members=(SLOW,)))
        assert (first.sequence, second.sequence) == (1, 2)
        assert first.at is not None and first.at.utcoffset() is not None
        assert replace(first, sequence=0, at=None) == CONFIRMATION
        assert store.confirmations(study) == (first, second)
        assert store.records(study)[1].measurement("latency_ms") == record_of(0).measurement("latency_ms")

    def test_a_confirmation_belongs_to_its_study(self, store: Store, study: StudyEntry) -> None:
        store.add(study, reference_of("parent"), None)
        another = new_study(store, "another")
        store.add(another, reference_of("parent"), None)
        store.add_confirmation(study, replace(CONFIRMATION, members=(SLOW,)))
        assert store.confirmations(another) == ()
        assert store.add_confirmation(another, replace(CONFIRMATION, members=(SLOW,))).sequence == 1

    def test_a_finalist_that_the_study_does_not_have_is_refused(self, store: Store, study: StudyEntry) -> None:
        store.add(study, reference_of("parent"), None)
        with pytest.raises(StoreError, match="no record named trial 0 to confirm"):
            store.add_confirmation(study, CONFIRMATION)
        assert store.confirmations(study) == ()
