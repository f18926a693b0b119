"""A front of three objectives as two plots of two."""

from __future__ import annotations

import pytest

from search.findings.panels import panels_of
from search.findings.roles import front_roles
from search.record.trial import TrialRecord
from tests.search.plausible import OBJECTIVES, THREE_OBJECTIVES, Plausible, plausible_study, with_memory


@pytest.fixture(scope="module")
def found() -> Plausible:
    return with_memory(plausible_study(trials=30))


def front_of(found: Plausible) -> list[TrialRecord]:
    return [record for record in found.records if record.name in found.fronts[-1].members]


def test_each_further_objective_has_a_panel_with_the_first_one_upwards() -> None:
    assert [panel.titles for panel in panels_of(OBJECTIVES)] == [("latency, ms", "mAP50-95 (val)")]
    titles = [("latency, ms", "mAP50-95 (val)"), ("memory, MiB", "mAP50-95 (val)")]
    assert [panel.titles for panel in panels_of(THREE_OBJECTIVES)] == titles


def test_the_staircase_of_two_objectives_passes_through_the_whole_front() -> None:
    found = plausible_study(trials=30)
    (panel,) = panels_of(OBJECTIVES)
    assert tuple(record.name for record in panel.edge(front_of(found))) == found.fronts[-1].members


@pytest.mark.parametrize("position", [0, 1])
def test_with_a_third_objective_the_staircase_still_rises_and_some_members_lie_behind_it(
    found: Plausible, position: int
) -> None:
    panel, members = panels_of(THREE_OBJECTIVES)[position], front_of(found)
    edge = panel.edge(members)
    places = [place for record in edge if (place := panel.place(record)) is not None]
    assert places == sorted(places) and [y for _, y in places] == sorted(y for _, y in places)
    assert 1 < len(edge) < len(members)
    for record in members:
        place = panel.place(record)
        assert place is not None and any(x <= place[0] and y >= place[1] for x, y in places)


def test_each_objective_has_its_best_member(found: Plausible) -> None:
    roles = {role: name for name, all_of in front_roles(front_of(found), THREE_OBJECTIVES).items() for role in all_of}
    members = {record.name: record for record in front_of(found)}
    assert roles["best"] == max(members, key=lambda name: members[name].value("map50_95") or 0)
    assert roles["fastest"] == min(members, key=lambda name: members[name].value("latency_ms") or 0)
    assert roles["best memory_mib"] == min(members, key=lambda name: members[name].value("memory_mib") or 0)
