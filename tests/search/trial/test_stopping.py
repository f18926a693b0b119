"""Which trials go on: rules on records whose curves are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from objectives.base import Direction, EpochResult, Evaluation, Measurement
from search.record.trial import Outcome, TrialRecord
from search.trial.stopping import RULES, AgainstTheFront, MoAsha, NeverStop, compares, front_at, rule_named
from tests.search.trial.test_learning_curves import EPOCHS, best, curves


def record(number: int | None, latency_ms: float, rungs: Sequence[EpochResult], accuracy: float | None) -> TrialRecord:
    scored = () if accuracy is None else (_evaluation(accuracy),)
    return TrialRecord(
        number=number,
        name="parent" if number is None else f"trial {number}",
        outcome=Outcome.STOPPED if accuracy is None else Outcome.COMPLETE,
        reason="",
        params={},
        spec=None,
        origin=None,
        identity=str(number),
        recipe={"epochs": EPOCHS},
        seed=0,
        measurements=(Measurement("latency_ms", latency_ms, "ms"),),
        evaluations=scored,
        rungs=tuple(rungs),
    )


def _evaluation(accuracy: float) -> Evaluation:
    return Evaluation("val", 10, accuracy, accuracy, 0.5, 0.5, 0.5, 0.5, 0.5, 0.6, 0.4, 0.6, 0.6)


def finished(count: int, seed: int) -> list[TrialRecord]:
    return [record(n, each.latency_ms, each.epochs, best(each)) for n, each in enumerate(curves(count, seed))]


def stops(rule: AgainstTheFront | MoAsha, seed: int) -> tuple[set[int], set[int], list[TrialRecord]]:
    """Of 60 trials, one after the other: those that a rule stopped, those of the true front, and all of them."""
    known: list[TrialRecord] = []
    whole = finished(60, seed)
    stopped: set[int] = set()
    for place, trial in enumerate(whole):
        latency_ms = trial.value("latency_ms") or 0.0
        verdicts = [rule.verdict(latency_ms, trial.rungs[:count], EPOCHS, known) for count in range(1, EPOCHS + 1)]
        at = next((count for count, said in enumerate(verdicts, 1) if said), None)
        if at is None:
            known.append(trial)
        else:
            known.append(record(place, latency_ms, trial.rungs[:at], None))
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
        stopped, front, _ = stops(AgainstTheFront(), seed)
        lost, members = lost + len(stopped & front), members + len(front)
        saved.append(len(stopped) / 60)
    assert members > 50
    assert lost <= 0.02 * members
    assert np.mean(saved) > 0.25


def test_fast_networks_are_not_stopped_for_learning_slowly() -> None:
    """Of the fastest third as large a share goes on as of the slowest: each is compared with its like."""
    fast, slow = [], []
    for seed in range(6):
        stopped, _, whole = stops(AgainstTheFront(), seed)
        order = np.argsort([trial.value("latency_ms") or 0.0 for trial in whole])
        fast.append(np.mean([place in stopped for place in order[:20]]))
        slow.append(np.mean([place in stopped for place in order[40:]]))
    assert np.mean(fast) <= np.mean(slow) + 0.05


def test_nothing_is_stopped_in_its_last_epoch_or_before_there_is_a_front() -> None:
    bad = [EpochResult(epoch, 0.0, 0.0, 9.0, 1.0) for epoch in range(1, EPOCHS + 1)]
    known = finished(30, seed=0)
    rule = AgainstTheFront()
    assert "stopped at epoch 2: will reach mAP50-95" in rule.verdict(4.0, bad[:2], EPOCHS, known)
    assert rule.verdict(4.0, bad, EPOCHS, known) == ""
    assert rule.verdict(4.0, bad[:2], EPOCHS, []) == ""
    assert rule.verdict(0.5, bad[:2], EPOCHS, known) == ""  # faster than all: whatever it reaches is new


def test_mo_asha_lets_the_best_third_of_a_rung_go_on() -> None:
    rule = MoAsha()
    rungs = [EpochResult(epoch, 0.3, 0.4, 1.0, 1.0) for epoch in (1, 2, 3)]
    rivals = [record(n, 2.0 + n, [EpochResult(1, 0.3 - 0.02 * n, 0.4, 1.0, 1.0)], None) for n in range(5)]
    assert rule.verdict(1.9, rungs[:1], EPOCHS, rivals) == ""  # dominates all
    assert rule.verdict(9.0, [EpochResult(1, 0.1, 0.2, 1.0, 1.0)], EPOCHS, rivals) == (
        "stopped at epoch 1: place 6 of 6 at this rung"
    )
    assert rule.verdict(9.0, rungs[:2], EPOCHS, rivals) == ""  # epoch 2 is no rung


@pytest.mark.parametrize("name", RULES)
def test_every_rule_has_a_name_in_studies(name: str) -> None:
    assert rule_named(name).verdict(1.0, [EpochResult(1, 0.5, 0.5, 1.0, 1.0)], EPOCHS, []) == ""


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="rungs 'hyperband' are unknown; there are front, mo-asha, none"):
        rule_named("hyperband")
    assert NeverStop().verdict(1.0, [], 1, []) == ""


def test_rules_compare_accuracy_and_latency_and_no_third_objective() -> None:
    accuracy, latency = ("map50_95", Direction.MAXIMIZE), ("latency_ms", Direction.MINIMIZE)
    assert compares((accuracy, latency))
    assert compares((latency, accuracy))
    assert not compares((accuracy, latency, ("size_mib", Direction.MINIMIZE)))
    assert not compares((("map50", Direction.MAXIMIZE), latency))
