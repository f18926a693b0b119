"""Selection: which stored network a command line means."""

from __future__ import annotations

from dataclasses import replace

import pytest

from objectives.base import Direction
from search.findings.selection import at_knee, best_under, by_name, by_number, milliseconds
from search.record.trial import TrialRecord
from search.study.faults import DefinitionError
from tests.search.plausible import OBJECTIVES, plausible_study

RECORDS = plausible_study().records


def accuracy(record: TrialRecord) -> float:
    return record.value("map50_95") or 0.0


def latency(record: TrialRecord) -> float:
    return record.value("latency_ms") or 0.0


def test_a_trial_is_found_by_its_number_and_a_row_by_its_name() -> None:
    assert by_number(RECORDS, 12).name == "trial 12"
    assert by_name(RECORDS, "round-2").name == "round-2"


def test_an_unknown_trial_is_answered_with_those_that_can_be_exported() -> None:
    # 3, 6, 9 and 11 were ruled out, stopped, a duplicate, and failed: they have no weights
    with pytest.raises(DefinitionError, match=r"--trial is 99; with weights are 0-2, 4-5, 7-8, 10, 12-19$"):
        by_number(RECORDS, 99)


def test_before_any_trial_is_finished_it_says_so() -> None:
    with pytest.raises(DefinitionError, match="no trial is finished yet"):
        by_number(RECORDS[:5], 0)


def test_a_trial_without_weights_is_answered_with_its_reason() -> None:
    with pytest.raises(
        DefinitionError, match=r"trial 3 has no weights, it is rejected before training: latency_ms is 16.4"
    ):
        by_number(RECORDS, 3)


def test_an_unknown_row_is_answered_with_the_nearest() -> None:
    with pytest.raises(DefinitionError, match="did you mean round-2"):
        by_name(RECORDS, "round2")
    with pytest.raises(DefinitionError, match=r"there are parent, one-shot, round-2, round-3, uniform-0\.5"):
        by_name(RECORDS, "xyz")


def test_best_under_is_the_most_accurate_of_those_fast_enough() -> None:
    chosen = best_under(RECORDS, 10.0)
    assert latency(chosen) <= 10.0
    faster = [record for record in RECORDS if record.checkpoint and latency(record) <= 10.0]
    assert accuracy(chosen) == max(map(accuracy, faster))


def test_best_under_does_not_take_what_misses_a_limit() -> None:
    chosen = best_under(RECORDS, 10.0)
    spoilt = [replace(r, constraints={"size_mib": 1.0}) if r is chosen else r for r in RECORDS]
    assert best_under(spoilt, 10.0).name != chosen.name


def test_best_under_the_fastest_names_the_fastest() -> None:
    fastest = min((r for r in RECORDS if r.checkpoint), key=latency)
    with pytest.raises(DefinitionError, match=f"the fastest is {fastest.name} with"):
        best_under(RECORDS, 0.5)


def test_the_knee_is_on_the_front_and_feasible() -> None:
    chosen = at_knee(RECORDS, OBJECTIVES)
    assert chosen.checkpoint
    others = [record for record in RECORDS if record.checkpoint and record.feasible]
    assert not [r for r in others if accuracy(r) > accuracy(chosen) and latency(r) < latency(chosen)]


def test_a_knee_of_nothing_says_what_is_missing() -> None:
    uncounted = [replace(r, measurements=tuple(m for m in r.measurements if m.name != "flops_g")) for r in RECORDS]
    with pytest.raises(DefinitionError, match="has map50_95 and flops_g yet"):
        at_knee(uncounted, (("map50_95", Direction.MAXIMIZE), ("flops_g", Direction.MINIMIZE)))


def test_where_everything_misses_a_limit_the_limits_are_named() -> None:
    missed = [replace(record, constraints={"latency_ms": 0.5}) for record in RECORDS]
    with pytest.raises(DefinitionError, match="no finished network within the limits has"):
        at_knee(missed, (("map50_95", Direction.MAXIMIZE),))
    with pytest.raises(DefinitionError, match="no finished network within the limits has"):
        best_under(missed, 100.0)


@pytest.mark.parametrize(("text", "value"), [("5ms", 5.0), ("0.75 ms", 0.75), ("12", 12.0)])
def test_latencies_are_read_as_people_write_them(text: str, value: float) -> None:
    assert milliseconds(text) == value


@pytest.mark.parametrize("text", ["fast", "5s", "-1ms", "0", ""])
def test_what_is_no_latency_is_refused(text: str) -> None:
    with pytest.raises(DefinitionError, match="write a latency such as 5ms"):
        milliseconds(text)
