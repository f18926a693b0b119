"""Contract of stores: studies, records, fronts and trained networks."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from objectives.base import Direction, EpochResult
from objectives.quantities import MAP75, MEMORY_MIB
from search.record.front import hypervolume, non_dominated
from search.record.trial import Outcome, TrialRecord
from search.store.base import AlreadyStored, Store, StoreError, StudyEntry
from search.store.entries import TrainedEntry
from tests.search.store.examples import (
    BEGAN,
    CURVES,
    DIRECTIONS,
    OBJECTIVES,
    REFERENCE_POINT,
    add_trial,
    begin,
    new_study,
    record_of,
    reference_of,
)


def without_curves(record: TrialRecord) -> TrialRecord:
    return replace(record, evaluations=tuple(replace(one, curves=None) for one in record.evaluations))


class StudyContract:
    def test_an_unknown_study_is_none(self, store: Store) -> None:
        assert store.latest_study("nas_head") is None

    def test_a_study_comes_back_as_it_was_stored(self, store: Store) -> None:
        definition = {"objectives": {"b": 1, "a": None}, "ratios": [0.5, 1e-9], "words": "Größe {0} %"}
        stored = store.add_study("nas_head", definition, OBJECTIVES)
        assert store.latest_study("nas_head") == stored
        assert (stored.definition, stored.objectives, stored.frozen) == (definition, OBJECTIVES, {})
        assert list(stored.definition["objectives"]) == ["b", "a"]  # in the order given
        assert stored.created.utcoffset() is not None

    def test_every_new_study_of_a_name_is_a_generation_further(self, store: Store) -> None:
        names = ["nas_head", "channel_ratio", "nas_head"]
        added = [store.add_study(name, {"at": index}, OBJECTIVES) for index, name in enumerate(names)]
        assert [study.generation for study in added] == [1, 1, 2]
        assert store.latest_study("nas_head") == added[2]
        assert store.studies() == tuple(added)

    def test_of_two_that_freeze_a_fact_the_first_wins(self, store: Store) -> None:
        study = store.add_study("nas_head", {}, OBJECTIVES)
        store.freeze(study, {"donors": ["a", "b"], "parent": "p"})
        seen = store.freeze(study, {"donors": [], "reference_point": [0.0, 1.0]})
        assert seen.frozen == {"donors": ["a", "b"], "parent": "p", "reference_point": [0.0, 1.0]}
        assert store.latest_study("nas_head") == seen


class RecordContract:
    def test_records_come_back_whole_and_in_the_order_they_were_added(self, store: Store, study: StudyEntry) -> None:
        added = [reference_of("parent", lineage="yolov8n"), record_of(5), record_of(2, finished=None, started=None)]
        failed = record_of(3, outcome=Outcome.FAILED, reason="loss is nan", spec=None, origin=None, checkpoint=None)
        added.append(replace(failed, measurements=(), evaluations=(), rungs=(), recipe={}, constraints={}))
        store.add(study, added[0], None)
        for record in added[1:]:
            add_trial(store, study, record)
        assert store.records(study, curves=True) == tuple(added)
        assert store.records(study) == tuple(map(without_curves, added))
        assert store.counted(study) == 3
        other = new_study(store, "another")
        store.add(other, reference_of("parent"), None)
        for known in range(len(added) + 2):
            assert store.records(study, curves=True, after=known) == tuple(added[known:])
        assert store.records(study, curves=True, names=["trial 2", "parent", "another"]) == (added[0], added[2])

    def test_a_long_curve_comes_back_digit_for_digit(self, store: Store, study: StudyEntry) -> None:
        chance = random.Random(0)
        axis = tuple(index / 999 for index in range(1000))
        noise = [tuple(chance.random() for _ in axis) for _ in range(3)]
        curves = replace(CURVES, confidence=axis, precision=noise[0], recall=noise[1], f1=noise[2])
        record = record_of(0)
        record = replace(record, evaluations=(replace(record.evaluations[0], curves=curves),))
        add_trial(store, study, record)
        assert store.records(study, curves=True) == (record,)

    def test_one_networks_records_share_its_spec_and_origin(self, store: Store, study: StudyEntry) -> None:
        first = record_of(0)
        second = record_of(1, spec=first.spec, origin=first.origin, seed=8)
        add_trial(store, study, first)
        add_trial(store, study, second)
        assert store.records(study, curves=True) == (first, second)

    def test_networks_that_differ_in_dropped_bottlenecks_alone_are_stored_apart(
        self, store: Store, study: StudyEntry
    ) -> None:
        whole = record_of(0)
        assert whole.spec is not None
        shallow = [
            record_of(number, spec=replace(whole.spec, dropped=dropped))
            for number, dropped in enumerate([("model.4.m.1",), ("model.4.m.1", "model.6.m.0")], start=1)
        ]
        for record in (whole, *shallow):
            add_trial(store, study, record)
        assert store.records(study, curves=True) == (whole, *shallow)

    def test_a_trial_number_and_a_rows_name_are_stored_once(self, store: Store, study: StudyEntry) -> None:
        store.add(study, reference_of("parent"), None)
        attempt = begin(store, study, 0)
        store.add(study, record_of(0), attempt)
        with pytest.raises(AlreadyStored, match="trial 0 is stored already"):
            store.add(study, record_of(0), attempt)
        with pytest.raises(AlreadyStored, match="'parent' is stored already in study 'nas_head'"):
            store.add(study, reference_of("parent"), None)
        store.add(new_study(store), reference_of("parent"), None)
        assert len(store.records(study)) == 2

    def test_a_record_closes_its_attempt(self, store: Store, study: StudyEntry) -> None:
        add_trial(store, study, record_of(0))
        assert store.open_attempts(study) == ()

    def test_a_record_of_another_trial_than_the_attempts_is_a_bug(self, store: Store, study: StudyEntry) -> None:
        with pytest.raises(ValueError, match=r"trial 1, the attempt of trial 0"):
            store.add(study, record_of(1), begin(store, study, 0))

    @pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
    def test_what_is_not_finite_is_refused_and_nothing_of_it_stays(
        self, store: Store, study: StudyEntry, bad: float
    ) -> None:
        attempt = begin(store, study, 0)
        with pytest.raises(ValueError, match="finite"):
            store.report(attempt, EpochResult(1, 0.1, 0.2, bad, 1.0))
        record = record_of(0)
        wrong = replace(record.evaluations[0], recall=bad)
        wrong_curve = replace(record.evaluations[0], curves=replace(CURVES, f1=(bad, 0.0, 0.0, 0.0)))
        for change in (
            {"seconds": {"build": bad}},
            {"constraints": {"latency_ms": bad}},
            {"rungs": (EpochResult(1, 0.1, bad, 1.0, 1.0),)},
            {"evaluations": (wrong,)},
            {"evaluations": (wrong_curve,)},
        ):
            with pytest.raises(ValueError, match=r"finite|Out of range float values"):
                store.add(study, replace(record, **change), attempt)
        assert store.records(study) == ()
        store.add(study, record, attempt)

    def test_a_time_without_a_zone_is_refused(self, store: Store, study: StudyEntry) -> None:
        with pytest.raises(ValueError, match="no time zone"):
            store.add(study, reference_of("parent", started=BEGAN.replace(tzinfo=None)), None)


class FrontContract:
    def test_the_stored_front_is_the_front_of_the_records_after_each_of_them(
        self, store: Store, study: StudyEntry
    ) -> None:
        chance = random.Random(3)
        added: list[TrialRecord] = []
        for index in range(60):
            record = a_random_record(index, chance)
            if record.is_reference:
                changed = store.add(study, record, None)
            else:
                changed = store.add(study, record, begin(store, study, index))
            before, after = recomputed(added), recomputed([*added, record])
            added.append(record)
            assert (changed is not None) == (before != after)
            if changed is not None:
                assert set(changed.members) == after[0]
                assert changed.hypervolume == pytest.approx(after[1])  # summed in another order
        fronts = store.fronts(study)
        assert [front.sequence for front in fronts] == list(range(1, len(fronts) + 1))
        assert len(fronts) > 5  # else the seed tells nothing
        volumes = [front.hypervolume for front in fronts]
        assert volumes == sorted(volumes)
        assert fronts[-1].reference_point == REFERENCE_POINT

    def test_the_history_tells_the_front_after_each_number_of_trials(self, store: Store, study: StudyEntry) -> None:
        chance = random.Random(4)
        added: list[TrialRecord] = []
        seen = [set[str]()]  # members after 0, 1, 2, ... counted trials
        for index in range(25):
            added.append(a_random_record(index, chance))
            store.add(study, added[-1], None if added[-1].is_reference else begin(store, study, index))
            members = recomputed(added)[0]
            if added[-1].is_reference or added[-1].outcome is Outcome.DUPLICATE:
                seen[-1] = members
            else:
                seen.append(members)
        for trials, members in enumerate(seen):
            reached = [front for front in store.fronts(study) if front.after <= trials]
            assert set(reached[-1].members if reached else ()) == members

    def test_members_ascend_in_the_last_objective(self, store: Store, study: StudyEntry) -> None:
        for number, (accuracy, latency) in enumerate([(0.5, 20.0), (0.3, 5.0), (0.4, 10.0)]):
            add_trial(store, study, record_of(number, accuracy, latency))
        assert store.fronts(study)[-1].members == ("trial 1", "trial 2", "trial 0")

    def test_a_third_objective_is_a_measurement_and_needs_no_column(self, store: Store) -> None:
        study = store.add_study("three", {}, (*OBJECTIVES, ("memory_mib", Direction.MINIMIZE)))
        study = store.freeze(study, {"reference_point": [0.0, 50.0, 9.0]})
        for number, (accuracy, latency, mib) in enumerate([(0.5, 20, 4), (0.3, 5, 8), (0.4, 20, 2), (0.3, 5, 9)]):
            record = record_of(number, accuracy, latency)
            further = (MEMORY_MIB.measurement(mib), MAP75.measurement(0.3), MAP75.measurement(0.2, split="test"))
            record = replace(record, measurements=(*record.measurements, *further))
            store.add(study, record, begin(store, study, number))
        front = store.fronts(study)[-1]
        assert front.members == ("trial 2", "trial 0", "trial 1")
        # three boxes, less what two share, and what all share: 0.5 x 30 x 5, 0.3 x 45 x 1, 0.4 x 30 x 7
        assert front.hypervolume == pytest.approx(75 + 13.5 + 84 - (9 + 60 + 9) + 9)
        first = store.records(study)[0]
        assert (first.value("memory_mib"), first.value("map75"), first.value("map75", "test")) == (4.0, 0.3, 0.2)

    def test_of_equal_records_the_earlier_is_on_the_front(self, store: Store, study: StudyEntry) -> None:
        store.add(study, reference_of("parent", 0.4, 10.0), None)
        assert store.add(study, record_of(0, 0.4, 10.0), begin(store, study, 0)) is None
        assert store.fronts(study)[-1].members == ("parent",)

    @pytest.mark.parametrize(
        "change",
        [
            {"outcome": Outcome.STOPPED, "reason": "dominated at its rung"},
            {"constraints": {"latency_ms": 0.1}},
            {"measurements": ()},
            {"evaluations": ()},
        ],
        ids=["stopped", "infeasible", "no latency", "no accuracy"],
    )
    def test_what_is_incomplete_or_over_a_limit_is_not_on_it(
        self, store: Store, study: StudyEntry, change: dict[str, Any]
    ) -> None:
        assert store.add(study, record_of(0, **change), begin(store, study, 0)) is None
        assert store.fronts(study) == ()

    def test_a_repeated_training_is_not_on_it(self, store: Store, study: StudyEntry) -> None:
        add_trial(store, study, record_of(1, 0.4, 10.0))
        assert store.add(study, reference_of("trial 1 repeated", 0.5, 9.0), None) is None
        assert store.fronts(study)[-1].members == ("trial 1",)

    def test_without_a_reference_point_nothing_is_stored(self, store: Store) -> None:
        study = store.add_study("nas_head", {}, OBJECTIVES)
        attempt = begin(store, study, 0)
        with pytest.raises(StoreError, match="freeze one figure for each of map50_95, latency_ms"):
            store.add(study, record_of(0), attempt)
        assert store.records(study) == ()
        store.heartbeat(attempt)
        store.freeze(study, {"reference_point": [0.0, 50.0]})
        assert store.add(study, record_of(0), attempt) is not None  # though `study` was read before


class TrainedContract:
    def test_a_trained_network_is_found_by_what_made_it(self, store: Store) -> None:
        entry = TrainedEntry(key="key", name="parent", parent="hash", lineage=None, record=reference_of("parent"))
        assert store.find_trained("key") is None
        assert store.add_trained(entry) == entry
        assert store.find_trained("key") == entry

    def test_of_two_that_trained_the_same_the_first_wins(self, store: Store) -> None:
        entry = TrainedEntry(key="key", name="parent", parent="hash", lineage=None, record=reference_of("parent", 0.5))
        store.add_trained(entry)
        assert store.add_trained(replace(entry, parent="later", record=reference_of("parent", 0.6))) == entry


def a_random_record(index: int, chance: random.Random) -> TrialRecord:
    """Figures from a coarse grid, so that there are ties; some rows are no candidates for the front."""
    accuracy, latency = chance.randint(1, 12) / 20, float(chance.randint(2, 60))
    if chance.random() < 0.15:
        return reference_of(f"row {index}", accuracy, latency)
    record = record_of(index, accuracy, latency)
    fate = chance.random()
    if fate < 0.1:
        return replace(record, constraints={"latency_ms": 1.0})
    if fate < 0.3:
        outcomes = [Outcome.STOPPED, Outcome.RULED_OUT, Outcome.DUPLICATE, Outcome.FAILED]
        return replace(record, outcome=chance.choice(outcomes), reason="chance")
    return replace(record, measurements=()) if fate < 0.35 else record


def recomputed(records: list[TrialRecord]) -> tuple[set[str], float]:
    """Names on the front of all records, and its hypervolume, from nothing but the records."""
    complete = [one for one in records if one.outcome is Outcome.COMPLETE and one.feasible and one.measurements]
    rows = [[one.value(name) or 0.0 for name, _ in OBJECTIVES] for one in complete]
    kept = non_dominated(rows, DIRECTIONS)
    return {complete[index].name for index in kept}, hypervolume(rows, DIRECTIONS, REFERENCE_POINT)
