"""Which trials go on: rules on records whose curves are known."""

from __future__ import annotations

import re
from typing import get_args

import numpy as np
import pytest

from objectives.base import Direction, EpochResult
from search.record.trial import TrialRecord
from search.study.choices import STOPPING_RULES
from search.study.sections import RungsSection
from search.trial.front_rule import FrontRule, front_at
from search.trial.stopping import NeverStop, RunningTrial, StoppingRule
from search.trial.stopping_rules import RULES, rule_named
from search.trial.successive_halving import MoAsha
from tests.search.trial.rule_contract import RuleContract, complete_trials, record, running
from tests.search.trial.test_learning_curves import EPOCHS
from tests.tree import ROOT


class TestFrontRule(RuleContract):
    @pytest.fixture
    def rule(self) -> StoppingRule:
        return FrontRule()


class TestMoAsha(RuleContract):
    @pytest.fixture
    def rule(self) -> StoppingRule:
        return MoAsha()


class TestNeverStop(RuleContract):
    stops_some = False

    @pytest.fixture
    def rule(self) -> StoppingRule:
        return NeverStop()


def stops(rule: StoppingRule, seed: int) -> tuple[set[int], set[int], list[TrialRecord]]:
    """Of 60 trials, one after the other: those that a rule stopped, those of the true front, and all of them."""
    known: list[TrialRecord] = []
    whole = complete_trials(60, seed)
    stopped: set[int] = set()
    for place, trial in enumerate(whole):
        reasons = [rule.reason_to_stop(running(trial, count), known) for count in range(1, EPOCHS + 1)]
        at = next((count for count, reason in enumerate(reasons, 1) if reason), None)
        if at is None:
            known.append(trial)
        else:
            known.append(record(place, trial.value("latency_ms") or 0.0, trial.rungs[:at], None))
            stopped.add(place)
    front = {
        place
        for place, trial in enumerate(whole)
        if (front_at(trial.value("latency_ms") or 0.0, whole) or 0.0) <= (trial.value("map50_95") or 0.0)
    }
    return stopped, front, whole


def test_members_of_the_front_go_on_and_much_else_is_stopped() -> None:
    lost, members, saved = 0, 0, []
    for seed in range(6):
        stopped, front, _ = stops(FrontRule(), seed)
        lost, members = lost + len(stopped & front), members + len(front)
        saved.append(len(stopped) / 60)
    assert members > 50
    assert lost <= 0.02 * members
    assert np.mean(saved) > 0.25


def test_fast_networks_are_not_stopped_for_learning_slowly() -> None:
    """Of the fastest third as large a share goes on as of the slowest: each is compared with its like."""
    fast, slow = [], []
    for seed in range(6):
        stopped, _, whole = stops(FrontRule(), seed)
        order = np.argsort([trial.value("latency_ms") or 0.0 for trial in whole])
        fast.append(np.mean([place in stopped for place in order[:20]]))
        slow.append(np.mean([place in stopped for place in order[40:]]))
    assert np.mean(fast) <= np.mean(slow) + 0.05


def test_nothing_is_stopped_in_its_last_epoch_or_before_there_is_a_front() -> None:
    bad = [EpochResult(epoch, 0.0, 0.0, 9.0, 1.0) for epoch in range(1, EPOCHS + 1)]
    known = complete_trials(30, seed=0)
    rule = FrontRule()
    second = RunningTrial(4.0, bad[:2], EPOCHS)
    assert "stopped at epoch 2: will reach mAP50-95" in rule.reason_to_stop(second, known)
    assert rule.reason_to_stop(RunningTrial(4.0, bad, EPOCHS), known) == ""
    assert rule.reason_to_stop(second, []) == ""
    fastest = RunningTrial(0.5, bad[:2], EPOCHS)
    assert rule.reason_to_stop(fastest, known) == ""  # faster than all: whatever it reaches is new


def test_mo_asha_lets_the_best_third_of_a_rung_go_on() -> None:
    rule = MoAsha()
    rungs = [EpochResult(epoch, 0.3, 0.4, 1.0, 1.0) for epoch in (1, 2, 3)]
    rivals = [record(n, 2.0 + n, [EpochResult(1, 0.3 - 0.02 * n, 0.4, 1.0, 1.0)], None) for n in range(5)]
    assert rule.reason_to_stop(RunningTrial(1.9, rungs[:1], EPOCHS), rivals) == ""  # dominates all
    dominated = RunningTrial(9.0, [EpochResult(1, 0.1, 0.2, 1.0, 1.0)], EPOCHS)
    assert rule.reason_to_stop(dominated, rivals) == "stopped at epoch 1: place 6 of 6 at this rung"
    assert rule.reason_to_stop(RunningTrial(9.0, rungs[:2], EPOCHS), rivals) == ""  # epoch 2 is no rung


def test_each_rule_is_named_in_the_schema_the_registry_and_the_documents() -> None:
    assert get_args(RungsSection.model_fields["rule"].annotation) == STOPPING_RULES
    assert tuple(RULES) == STOPPING_RULES
    page = (ROOT / "docs/studies.md").read_text(encoding="utf-8")
    assert "`rungs: {rule: front}`" in page
    sentence = page[page.index("`-o rungs.rule=") :].partition(")")[0]
    assert {"front", *re.findall(r"`(?:-o rungs\.rule=)?([\w-]+)`", sentence)} == set(STOPPING_RULES)


@pytest.mark.parametrize("name", STOPPING_RULES)
def test_every_rule_has_a_contract(name: str) -> None:
    contracts = {each.__name__ for each in RuleContract.__subclasses__()}
    assert f"Test{type(rule_named(name)).__name__}" in contracts


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="rungs 'hyperband' are unknown; there are front, mo-asha, none"):
        rule_named("hyperband")


@pytest.mark.parametrize("rule", [FrontRule(), MoAsha()])
def test_rules_compare_accuracy_and_latency_and_no_third_objective(rule: StoppingRule) -> None:
    accuracy, latency = ("map50_95", Direction.MAXIMIZE), ("latency_ms", Direction.MINIMIZE)
    assert rule.handles((accuracy, latency))
    assert rule.handles((latency, accuracy))
    assert not rule.handles((accuracy, latency, ("size_mib", Direction.MINIMIZE)))
    assert not rule.handles((("map50", Direction.MAXIMIZE), latency))
    assert NeverStop().handles((("map50", Direction.MAXIMIZE),))
