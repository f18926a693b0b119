"""The best by hand and the search at equal training: the plan, the budget, the training behind networks, continuing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.compounding.arm_records import ArmRecords, front_of, training_of
from benchmarks.compounding.arms import ARMS, HAND_ARMS, POLISHED_SHARE, arm_study, rounds_epochs
from benchmarks.compounding.plan import Plan, donor_epochs, stored_plan, trials_within, usual_plan
from benchmarks.compounding.runs import SeedRuns, epochs_left
from benchmarks.pruned_by_hand.runs import TRIAL_EPOCHS
from objectives.base import Evaluation, Measurement
from search.record.ancestors import Ancestor
from search.record.trial import Outcome, TrialRecord
from search.study.definition import StudyDefinition, load_study

PLAN = usual_plan("digits", 0, {})


def _study(arm: str, plan: Plan = PLAN) -> tuple[StudyDefinition, dict[str, str]]:
    """The definition that an arm's arguments give, and its options."""
    study = arm_study(arm, plan)
    words = list(study.arguments)
    overrides = [words[place + 1] for place, word in enumerate(words) if word == "-o"]
    options = {word: words[place + 1] for place, word in enumerate(words) if word.startswith("--")}
    return load_study(study.yaml, overrides), options


# -- plan and budget -------------------------------------------------------------------------------------------------
def test_a_plan_is_stored_and_may_not_change(tmp_path: Path) -> None:
    plan = usual_plan("sets/bccd/data.yaml", 2, {"imgsz": 160, "budget": None})
    assert (plan.name, plan.budget, plan.smaller_px, plan.folder(tmp_path)) == (
        "bccd",
        120,
        96,
        tmp_path / "bccd" / "2",
    )
    assert stored_plan(tmp_path, plan, {}) == plan
    other = replace(plan, budget=50)
    assert stored_plan(tmp_path, other, {"budget": None}) == plan
    with pytest.raises(ValueError, match=r"budget is 50, but .* was begun with 120"):
        stored_plan(tmp_path, other, {"budget": 50})


def test_digits_are_made_smaller_by_a_step_of_the_image_size() -> None:
    assert (PLAN.smaller_px, PLAN.name, PLAN.imgsz) == (64, "digits", None)


def test_the_graft_by_hand_is_trained_to_the_end_of_the_budget() -> None:
    study, _ = _study("H1")
    (graft,) = study.controls
    assert donor_epochs(study) == rounds_epochs(PLAN)
    assert donor_epochs(study) + int(study.recipe_of(graft)["epochs"]) == PLAN.budget


def test_rounds_by_hand_leave_a_part_of_the_budget_to_train_on() -> None:
    for arm in ("H2", "H3"):
        study, _ = _study(arm)
        assert not study.controls
        assert 0 < donor_epochs(study) < PLAN.budget


def test_both_arms_of_sparsity_have_equal_rounds() -> None:
    assert _study("H1")[0].donors == _study("H2")[0].donors


def test_searches_differ_by_one_part_each() -> None:
    studies = {arm: _study(arm) for arm in ("S0", "S1", "S2", "S3")}
    assert {arm: study.inherit for arm, (study, _) in studies.items()} == {
        "S0": False, "S1": False, "S2": True, "S3": True
    }  # fmt: skip
    assert [studies["S0"][0].space.order_criterion, studies["S1"][0].space.order_criterion] == ["l2", "taylor"]
    assert studies["S1"][0].donors == studies["S2"][0].donors == studies["S3"][0].donors
    assert studies["S3"][1]["--budget"] == f"{PLAN.budget}epochs"
    assert not any(study.controls for study, _ in studies.values())


@pytest.mark.parametrize("arm", ["S0", "S1", "S2"])
def test_searches_without_a_division_keep_a_share_of_the_budget_for_polishing(arm: str) -> None:
    study, options = _study(arm)
    left = PLAN.budget - donor_epochs(study)
    trained = int(options["--n-trials"]) * TRIAL_EPOCHS
    assert trained <= (1 - POLISHED_SHARE) * left < trained + TRIAL_EPOCHS


def test_at_least_one_trial_is_run() -> None:
    assert trials_within(3, 8, 0.4) == 1
    assert trials_within(100, 8, 0.4) == 7


def test_too_small_a_budget_is_refused() -> None:
    with pytest.raises(ValueError, match="the rounds alone take"):
        arm_study("H1", replace(PLAN, budget=20))
    with pytest.raises(ValueError, match="40 are spent"):
        epochs_left(replace(PLAN, budget=40), 40)
    assert epochs_left(replace(PLAN, budget=40), 15) == 25


# -- training behind the networks ------------------------------------------------------------------------------------
def _record(name: str, *, epochs: int = 0, flops: float = 1.0, **changes: Any) -> TrialRecord:
    measured = (Measurement("flops_g", flops), Measurement("latency_ms", changes.pop("ms", flops), ratio=flops))
    val = changes.pop("val", 0.5)
    plain = TrialRecord(
        number=None, name=name, outcome=Outcome.COMPLETE, reason="", params={}, spec=None, origin=None, identity=name,
        recipe={"epochs": epochs}, seed=0, measurements=measured, checkpoint=f"weights of {name}",
        evaluations=(Evaluation("val", 10, *[val] * 11),),
        seconds={"training": 10.0 * epochs, "evaluation": 1.0},
    )  # fmt: skip
    return replace(plain, **changes)


PARENT = _record("parent", flops=2.0)


def test_a_training_counts_once_and_sparse_training_as_the_network_before_it() -> None:
    sparse = Ancestor("round-2 sparse", "weights without a row", 4)
    first = _record("round-1", epochs=10, flops=1.0)
    second = _record("round-2", epochs=6, flops=0.5, ancestors=(*first.line, sparse))
    spent = training_of([first, second], [PARENT, first, second], PARENT)
    assert spent.epochs == 10 + 4 + 6
    assert spent.flop_epochs == pytest.approx((10 * 1.0 + 4 * 1.0 + 6 * 0.5) / 2.0)
    assert spent.seconds == pytest.approx(160.0)


def test_seconds_are_those_of_the_study_that_trained_a_network() -> None:
    first = _record("round-1", epochs=10)
    final = _record("nas_final", epochs=5, ancestors=first.line)
    found = replace(first, seconds={})
    arm = ArmRecords("H1", (PARENT, found, final), elsewhere=(PARENT, first))
    assert (arm.training().epochs, arm.training().seconds) == (15, 150.0)
    assert arm.networks() == [final]


def test_all_of_a_search_counts_stopped_trials_too() -> None:
    stopped = _record(
        "trial 1", number=1, outcome=Outcome.STOPPED, checkpoint=None, rungs=(), epochs=8, seconds={"training": 7.0}
    )
    donor = _record("one-shot", epochs=10)
    best_f1 = _record("one-shot-f1", epochs=10)
    arm = ArmRecords("S3", (PARENT, donor, best_f1, _record("trial 0", number=0, epochs=3), stopped))
    assert (arm.training().epochs, arm.training().seconds) == (13, 137.0)


def test_the_front_of_a_search_has_no_parent_and_no_repeated_training() -> None:
    records = [
        replace(PARENT, evaluations=_record("", val=0.9).evaluations),
        _record("taylor-1", val=0.7, ms=1.0),
        _record("trial 0", val=0.6, ms=0.5),
        _record("trial 1", val=0.6, ms=0.6),
        _record("trial 0 repeated", val=0.8, ms=0.5),
    ]
    assert [record.name for record in front_of(records)] == ["taylor-1", "trial 0"]


# -- continuing ------------------------------------------------------------------------------------------------------
class _Arms(SeedRuns):
    """Runs whose arms do nothing but note that they ran; the arm `fails` is killed in its middle."""

    def note(self, fails: str = "") -> list[str]:
        ran: list[str] = []

        def run_arm(arm: str) -> None:
            ran.append(arm)
            if arm == fails:
                raise KeyboardInterrupt
            self.mark_of(arm).parent.mkdir(parents=True, exist_ok=True)
            self.mark_of(arm).write_text("done\n")

        object.__setattr__(self, "run_arm", run_arm)
        return ran


def test_a_killed_arm_is_continued_and_a_finished_one_is_not_run_again(tmp_path: Path) -> None:
    runs = _Arms(PLAN, tmp_path)
    ran = runs.note(fails="H2")
    with pytest.raises(KeyboardInterrupt):
        runs.run(ARMS, 30)
    assert ran == ["H1", "H2"]
    ran = runs.note()
    runs.run(ARMS, 30)
    assert ran == [arm for arm in ARMS if arm != "H1"]
    assert all(runs.is_done(arm) for arm in ARMS)


def test_an_arm_waits_for_those_that_it_needs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = _Arms(PLAN, tmp_path)
    ran = runs.note()
    runs.run(["H3", "S3", "X"], 30)
    assert ran == ["H3", "S3"]
    assert "X was not begun: it needs H1, H2 first" in capsys.readouterr().out


def test_no_arm_begins_when_the_time_is_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = _Arms(PLAN, tmp_path)
    ran = runs.note()
    runs.run(ARMS, -1.0)
    assert ran == []
    assert "H1 was not begun" in capsys.readouterr().out


def test_arms_that_were_not_begun_are_listed(tmp_path: Path) -> None:
    lines = list(SeedRuns(PLAN, tmp_path).list_lines())
    assert len(lines) == len(ARMS) and lines[0].split() == ["digits", "0", "H1", "missing"]


def test_every_arm_has_a_study() -> None:
    for arm in ARMS:
        assert _study(arm)[0].parent is not None
    assert set(HAND_ARMS) < set(ARMS)
