"""The accuracy that a study asks for: it directs the search, and rules nothing out."""

from __future__ import annotations

import pytest

from search.study.definition import load_study
from search.study.faults import DefinitionError
from search.study.limits import resolved


def test_it_stands_among_the_limits_or_by_itself() -> None:
    study = load_study("nas_head", ["limits={latency_ms: 5, map50_95: {at_least: 0.8}}"])
    assert (study.limits, study.at_least) == ({"latency_ms": 5.0}, {"map50_95": 0.8})
    assert study.upper_limits == {"latency_ms": 5.0}
    assert load_study("nas_head", ["limits={latency_ms: 5 ms, map50_95: {at_least: 0.8}}"]) == study
    assert load_study("nas_head", ["objectives.latency.limit_ms=5ms", "at_least.map50_95=0.8"]) == study
    assert load_study("nas_head", ["at_least.map50_95=0.8", "limits.latency_ms=5"]) == study


@pytest.mark.parametrize(
    "override, fault",
    [
        ("limits={map50_95: {at_most: 0.8}}", r"limits.map50_95.at_most is unknown; did you mean at_least\?"),
        ("limits.latency_ms=5s", r"limits.latency_ms is '5s'; it must be"),
        ("limits.size_mib=3ms", r"limits.size_mib is '3ms'; it must be"),
        ("at_least={latency_ms: 0.8}", r"at_least.latency_ms is unknown"),
        ("at_least={map50_95: 80}", r"at_least.map50_95 is 80.0; write 0.8, or -0.01 for that of the parent less 0.01"),
    ],
)
def test_what_cannot_be_meant_is_refused(override: str, fault: str) -> None:
    with pytest.raises(DefinitionError, match=fault):
        load_study("nas_head", [override])


def test_a_difference_is_one_to_the_parent() -> None:
    assert resolved(0.8, parent=0.9) == 0.8
    assert resolved(-0.01, parent=0.9) == pytest.approx(0.89)
    assert resolved(0.0, parent=0.9) == 0.9
    assert resolved(-0.01, parent=None) is None
