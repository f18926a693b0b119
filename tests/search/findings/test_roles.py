"""The role of the fastest goes to no useless network, and to none that a better one ties with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from objectives.base import Measurement
from search.findings.roles import front_roles, least_for_roles
from search.record.trial import TrialRecord
from tests.search.plausible import OBJECTIVES
from tests.search.store.examples import record_of, reference_of


def member(number: int, accuracy: float, ms: float, half: float = 0.01) -> TrialRecord:
    record = record_of(number, accuracy, ms)
    latency = Measurement("latency_ms", ms, "ms", low=ms - half, high=ms + half, runs=50, ratio=ms)
    others = [each for each in record.measurements if each.name != "latency_ms"]
    return replace(record, measurements=(*others, latency))


FRONT = [member(0, 0.5, 4.0), member(1, 0.45, 3.0), member(2, 0.4, 2.0), member(3, 0.05, 1.0)]


def test_a_network_of_no_use_is_not_the_fastest() -> None:
    parent = reference_of("parent", 0.6, 9.0)
    roles = front_roles(FRONT, OBJECTIVES, least_for_roles(parent, OBJECTIVES))
    assert roles["trial 2"] == ("fastest",) and roles["trial 0"] == ("best",) and roles["trial 3"] == ()
    assert front_roles(FRONT, OBJECTIVES)["trial 3"] == ("fastest",)


@pytest.mark.parametrize(("asked", "fastest"), [({"map50_95": 0.02}, 3), ({"map50_95": -0.15}, 1), ({"map50": 0.9}, 2)])
def test_the_study_may_ask_for_an_accuracy_itself(asked: dict[str, float], fastest: int) -> None:
    least = least_for_roles(reference_of("parent", 0.6, 9.0), OBJECTIVES, asked)
    roles = front_roles(FRONT, OBJECTIVES, least)
    assert [name for name, found in roles.items() if "fastest" in found] == [f"trial {fastest}"]


def test_below_the_least_only_the_best_has_a_role() -> None:
    assert set(front_roles(FRONT, OBJECTIVES, 0.9).values()) == {("best",), ()}


def test_of_latencies_that_tie_the_more_accurate_is_the_fastest() -> None:
    tied = [*FRONT[:2], member(2, 0.4, 2.0, half=0.2), member(4, 0.35, 1.95, half=0.2)]
    assert "fastest" in front_roles(tied, OBJECTIVES)["trial 2"] and not front_roles(tied, OBJECTIVES)["trial 4"]
    apart = [*FRONT[:2], member(2, 0.4, 2.0), member(4, 0.35, 1.95)]
    assert front_roles(apart, OBJECTIVES)["trial 4"] == ("fastest",)
