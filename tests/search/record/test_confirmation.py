"""Finalists: how confirmed latencies change a front. The figures are invented, the records and rules are real."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from objectives.base import Measurement
from objectives.device.activity import DeviceActivity
from objectives.timing.race import Race
from objectives.timing.timings import Block
from search.findings.confirmation_table import print_confirmation
from search.findings.selection import at_knee, best_under, confirmed_study
from search.finish.finalists import select_finalists
from search.finish.race import confirmation_of
from search.finish.run_request import RunRequest
from search.finish.study_run import StepRunner, confirm_at_end
from search.record.confirmation import Confirmation, Finalist, confirmation_summary
from search.record.confirmed_study import ConfirmedStudy, apply_confirmation, confirmation_remarks
from search.record.folders import RunFolder, storage_url
from search.record.trial import TrialRecord
from search.store.entries import TargetEntry
from search.store.sql import open_store
from search.study.definition import load_study
from tests.search.plausible import OBJECTIVES, plausible_evaluation, plausible_study, store_study

QUIET = DeviceActivity(others_busy=0.0).as_plain()


def record(name: str, accuracy: float, latency_ms: float, limit_ms: float = 10.0) -> TrialRecord:
    latency = Measurement("latency_ms", latency_ms, "ms", latency_ms - 0.3, latency_ms + 0.3, 30, None, "cpu", True)
    return TrialRecord(
        number=None, name=name, outcome=plausible_study().records[0].outcome, reason="", params={}, spec=None,
        origin=None, identity=name, recipe={}, seed=0, measurements=(Measurement("flops_g", 1.0), latency),
        evaluations=(plausible_evaluation("val", accuracy),), constraints={"latency_ms": latency_ms - limit_ms},
        checkpoint="c" * 64,
    )  # fmt: skip


RECORDS = (record("slow", 0.6, 9.0), record("middle", 0.5, 6.0), record("fast", 0.4, 5.0), record("far", 0.3, 8.0))
FRONT = ("fast", "middle", "slow")


def confirmed(latencies: Mapping[str, float], ties: Mapping[str, tuple[str, ...]] | None = None) -> Confirmation:
    members = [
        Finalist(name, value, value - 0.1, value + 0.1, value / 9, 60, (ties or {}).get(name, ()))
        for name, value in latencies.items()
    ]
    return Confirmation("cpu", "wall", tuple(members), QUIET, 1)


def applied(confirmation: Confirmation | None) -> ConfirmedStudy:
    return apply_confirmation(RECORDS, FRONT, OBJECTIVES, confirmation)


def test_without_a_confirmation_nothing_changes() -> None:
    found = applied(None)
    assert (found.records, found.front) == (RECORDS, FRONT)
    assert confirmation_remarks(found) == {}


def test_confirmed_latencies_replace_those_of_the_trials_which_stay_visible() -> None:
    found = applied(confirmed({"fast": 5.2, "middle": 5.9, "slow": 8.8}))
    by_name = {each.name: each for each in found.records}
    latency = by_name["fast"].measurement("latency_ms")
    assert latency is not None
    assert (latency.value, latency.low, latency.high, latency.runs) == (5.2, 5.2 - 0.1, 5.2 + 0.1, 60)
    assert latency.contended is False, "it is uncontended now, whatever it was in the trial"
    assert latency.contended is False
    assert by_name["far"].value("latency_ms") == 8.0, "the three others changed by no more than chance"
    assert found.front == FRONT
    assert confirmation_remarks(found)["fast"] == "5 ms in the study"
    assert RECORDS[2].value("latency_ms") == 5.0, "the record itself is not changed"


def test_a_member_that_is_dominated_by_confirmed_latencies_leaves_the_front() -> None:
    found = applied(confirmed({"middle": 5.4, "fast": 5.9, "slow": 9.0}))
    assert found.front == ("middle", "slow")
    assert found.dropped == {"fast": "middle"}
    assert confirmation_remarks(found)["fast"] == "off the front, dominated by middle; 5 ms in the study"


def test_where_latencies_tie_the_more_accurate_network_stays() -> None:
    ties = {"fast": ("middle",), "middle": ("fast",)}
    found = applied(confirmed({"middle": 5.52, "fast": 5.50, "slow": 9.0}, ties))
    assert found.front == ("middle", "slow")
    assert found.dropped == {"fast": "middle"}
    assert confirmation_remarks(found)["fast"] == "= middle; off the front, dominated by middle; 5 ms in the study"


def test_what_ties_with_a_network_that_is_itself_beaten_stays() -> None:
    """Ties are not transitive: `fast` ties with `middle` and `middle` with `slow`, but `fast` is faster than `slow`."""
    ties = {"fast": ("middle",), "middle": ("fast", "slow"), "slow": ("middle",)}
    found = applied(confirmed({"fast": 5.0, "middle": 5.1, "slow": 5.2}, ties))
    assert found.front == ("fast", "slow")
    assert found.dropped == {"middle": "slow"}


def test_a_network_by_hand_that_was_timed_too_may_join_the_front() -> None:
    found = applied(confirmed({"fast": 5.0, "middle": 6.0, "slow": 9.0, "far": 4.0}))
    assert found.front == ("far", "fast", "middle", "slow")


def test_all_records_of_one_shape_have_its_latency() -> None:
    spec = plausible_study().records[0].spec
    assert spec is not None
    twins = (replace(RECORDS[0], spec=spec), replace(RECORDS[3], spec=spec), *RECORDS[1:3])
    found = apply_confirmation(twins, FRONT, OBJECTIVES, confirmed({"slow": 8.5, "middle": 6.0, "fast": 5.0}))
    assert [each.value("latency_ms") for each in found.records[:2]] == [8.5, 8.5]
    other = replace(twins[1], recipe={"imgsz": 64})
    found = apply_confirmation((twins[0], other), FRONT, OBJECTIVES, confirmed({"slow": 8.5}))
    assert found.records[1] is other, "at another image size it is another network"


def test_the_rows_that_were_not_timed_again_change_by_the_same_factor_within_its_spread() -> None:
    """Else a trial that is slower than a member by the study could be faster than it in the table."""
    found = applied(confirmed({"fast": 4.0, "middle": 4.9, "slow": 7.2}))
    assert found.change is not None and found.change.factor == pytest.approx(0.8)
    far = found.records[3].measurement("latency_ms")
    before = RECORDS[3].measurement("latency_ms")
    assert far is not None and before is not None and far.high is not None and before.high is not None
    assert far.value == pytest.approx(6.4)
    assert far.high / far.value > before.high / before.value, "the change is not known exactly"
    assert found.change.text().startswith("other rows: latency of the study x 0.80 ± ")
    assert applied(confirmed({"fast": 4.0, "middle": 4.9})).records[3] is RECORDS[3], "two networks do not tell"
    wide = applied(confirmed({"fast": 4.0, "middle": 6.6, "slow": 9.2}))
    assert wide.change is not None and wide.change.factor == 1.0, "that may be chance"


def test_a_limit_is_judged_by_the_confirmed_latency() -> None:
    found = applied(confirmed({"fast": 5.0, "middle": 6.0, "slow": 10.4}))
    slow = next(each for each in found.records if each.name == "slow")
    assert slow.constraints["latency_ms"] == pytest.approx(0.4)
    assert found.front == ("fast", "middle")
    assert confirmation_remarks(found)["slow"] == "off the front, over a limit; 9 ms in the study"


def test_best_under_and_knee_go_by_the_confirmed_latency() -> None:
    """By the trials' own figures `middle` is within 6 ms; confirmed, it is not."""
    assert best_under(RECORDS, 6.0).name == "middle"
    assert best_under(applied(confirmed({"fast": 5.0, "middle": 6.3, "slow": 9.0})).records, 6.0).name == "fast"
    assert at_knee(RECORDS, OBJECTIVES).name == "middle"
    assert at_knee(applied(confirmed({"fast": 5.0, "middle": 8.5, "slow": 8.7})).records, OBJECTIVES).name != "middle"


def test_the_parent_and_the_best_by_hand_are_timed_with_the_front() -> None:
    """They may be dominated: a speed-up is a ratio within one race, and so is what the search has to beat."""
    store = open_store("sqlite://")
    study = store_study(store, plausible_study())
    members = set(store.fronts(study)[-1].members)
    better = replace(record("trial 99", 0.99, 0.01), number=99, identity="best")
    store.add(study, better, None)
    chosen = {each.name for each in select_finalists(store, study)}
    assert store.fronts(study)[-1].members == ("trial 99",)
    assert chosen == {"trial 99", "parent"} | {name for name in members if not name.startswith("trial")}
    store.close()


def test_the_newest_confirmation_in_the_database_counts() -> None:
    store = open_store("sqlite://")
    study = store_study(store, plausible_study())
    front = store.fronts(study)[-1].members
    before = confirmed_study(store, study)
    assert before.front == front
    for latency_ms in (1.5, 1.25):
        store.add_confirmation(study, confirmed({front[0]: latency_ms}))
    found = {each.name: each for each in confirmed_study(store, study).records}
    assert found[front[0]].value("latency_ms") == 1.25
    assert store.records(study) == before.records
    store.close()


def race(*, others_busy: float | None) -> Race:
    """Two networks, of 1 and 2 times the reference by wall time; by CPU time of 1 and 3 times."""
    rounds = 12
    networks = [(Block((1.0,), (1.0,)),) * rounds, (Block((3.0,), (2.0,)),) * rounds]
    reference = (Block((1.0,), (1.0,)),) * (2 * rounds + 1)
    circumstances = DeviceActivity(others_busy=others_busy)
    return Race(reference, tuple(networks), ((0, 1),) * rounds, cpu_seconds=1.0, circumstances=circumstances)


def test_the_table_marks_ties_and_names_the_record_that_dominates_a_dropped_member(
    capsys: pytest.CaptureFixture[str],
) -> None:
    store = open_store("sqlite://")
    study = store_study(store, plausible_study())
    fastest, second, third, *_ = store.fronts(study)[-1].members
    ties = {fastest: (second,), second: (fastest,)}
    seen = DeviceActivity(others_busy=1.5).as_plain()
    told = replace(confirmed({second: 2.0, fastest: 2.01, third: 1.0}, ties), clock="cpu", circumstances=seen)
    print_confirmation(store, study, store.add_confirmation(study, told))
    printed = capsys.readouterr().out
    store.close()
    lines = {name: next(line for line in printed.splitlines() if line.strip().startswith(f"{name} ")) for name in ties}
    assert f"= {second}" in lines[fastest]
    assert f"dominated by {third}" in lines[fastest]
    assert "CPU time, which other work hardly changes: the device was not idle (others kept 1.5 cores busy)" in printed
    assert "contended: run `yolofront confirm` again" in printed


def test_a_confirmation_that_fails_at_a_studys_end_is_reported_in_one_line(tmp_path: Path) -> None:
    """The weights that the records name are not there."""
    runs = RunFolder(tmp_path)
    store = open_store(storage_url(None, runs))
    study = store_study(store, plausible_study())
    request = RunRequest(load_study("nas_head"), runs, storage_url(None, runs))
    said = io.StringIO()
    confirm_at_end(store, study, StepRunner(request, Console(file=said, soft_wrap=True)))
    (line,) = said.getvalue().splitlines()
    assert line.startswith("the finalists are not confirmed: ")
    assert line.endswith(f"try again: yolofront confirm --study nas_head --project {tmp_path}")
    assert store.confirmations(study) == ()
    store.close()


@pytest.mark.parametrize(("others_busy", "clock", "ratio"), [(0.0, "wall", 2.0), (1.0, "cpu", 3.0), (None, "cpu", 3.0)])
def test_on_an_idle_device_wall_time_counts_else_the_targets_own_clock(
    others_busy: float | None, clock: str, ratio: float
) -> None:
    target = TargetEntry("cpu", {}, 4.0)
    found = confirmation_of(race(others_busy=others_busy), [["one"], ["two"]], target, loaded_clock="cpu")
    assert found.clock == clock
    assert [member.name for member in found.members] == ["one", "two"]
    assert found.members[1].ratio == pytest.approx(ratio)
    assert found.members[1].value == pytest.approx(4.0 * ratio)


def test_records_of_one_shape_are_timed_once_and_tie() -> None:
    target = TargetEntry("cpu", {}, 4.0)
    found = confirmation_of(race(others_busy=0.0), [["one", "twin"], ["two"]], target, loaded_clock="cpu")
    assert [(each.name, each.value, each.ties) for each in found.members] == [
        ("one", 4.0, ("twin",)), ("twin", 4.0, ("one",)), ("two", 8.0, ())
    ]  # fmt: skip


def test_a_front_is_covered_by_an_uncontended_confirmation_of_all_its_members_on_its_target() -> None:
    found = confirmed({"fast": 5.0, "middle": 6.0, "slow": 9.0})
    assert found.covers(FRONT, "cpu")
    assert not found.covers((*FRONT, "new"), "cpu")
    assert not found.covers(FRONT, "gpu")
    assert not replace(found, circumstances=DeviceActivity(others_busy=1.5).as_plain()).covers(FRONT, "cpu")


def test_the_summary_names_contention_and_the_number_of_ties() -> None:
    found = confirmed({"fast": 5.0, "middle": 5.0, "slow": 9.0}, {"fast": ("middle",), "middle": ("fast",)})
    assert confirmation_summary(found) == "3 networks re-measured side by side in wall time; 2 with ties (=)"
    loaded = replace(found, clock="cpu", circumstances=DeviceActivity(others_busy=1.5).as_plain())
    assert "in CPU time, while other work was seen" in confirmation_summary(loaded)
