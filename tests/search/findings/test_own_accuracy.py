"""Tables, remarks, pages and stopping rules of a study of masks: they are about masks, not about boxes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace

import pytest

from objectives.base import Direction, Measurement
from objectives.quantities import MAP50_95, MASK_MAP50_95
from search.findings.formats import markdown
from search.findings.leaderboard import leaderboard
from search.findings.parent_training import parent_warning
from search.findings.terminal import terminal_table
from search.findings.training_noise import training_noise, trials_to_repeat
from search.pages.notes import trial_note
from search.pages.report import headline
from search.record.trial import TrialRecord, trained_accuracy
from search.record.words import gain_title
from search.study.file_objectives import accuracy_of_curves
from search.trial.front_rule import FrontRule, front_at
from search.trial.stopping import RunningTrial
from search.trial.successive_halving import MoAsha
from spaces.display.terminal import table_console
from tests.search.findings.test_parent_training import flat
from tests.search.findings.test_training_noise import named, repeated
from tests.search.plausible import plausible_study
from tests.search.trial.rule_contract import complete_trials
from tests.search.trial.test_learning_curves import EPOCHS

LATENCY = ("latency_ms", Direction.MINIMIZE)
OBJECTIVES = ((MASK_MAP50_95.name, Direction.MAXIMIZE), LATENCY)
RECORDS = plausible_study().records


def boxes(record: TrialRecord) -> float:
    return record.value(MAP50_95.name) or 0.0


def with_masks(record: TrialRecord, value: float) -> TrialRecord:
    own = Measurement(MASK_MAP50_95.name, value, "1")
    rest = tuple(each for each in record.measurements if each.name != own.name)
    return replace(record, measurements=(*rest, own))


def mirrored(records: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The records with masks that are the worse, the better the boxes are."""
    return [with_masks(each, 1 - boxes(each)) if each.evaluations else each for each in records]


def test_the_accuracy_of_a_study_is_that_of_its_task() -> None:
    assert trained_accuracy(RECORDS) == MAP50_95 and gain_title(RECORDS) == "ΔmAP50-95"
    assert trained_accuracy(mirrored(RECORDS)) == MASK_MAP50_95
    assert (accuracy_of_curves("segment"), accuracy_of_curves("detect")) == ("mask_map50_95", "map50_95")


def test_tables_and_pages_compare_masks() -> None:
    records = mirrored(RECORDS)
    rows = leaderboard(records, [records[1].name, "trial 7"], objectives=OBJECTIVES)
    parent, row = rows[0], next(each for each in rows if each.record.name == "trial 7")
    assert row.gain == pytest.approx(boxes(RECORDS[0]) - boxes(named("trial 7")))
    assert "| Δmask mAP50-95 |" in markdown(rows)
    stream = io.StringIO()
    table_console(stream, width=60).print(terminal_table(rows), crop=False)
    assert "mask mAP50-95" in stream.getvalue().splitlines()[0]
    assert f"{row.gain_text} mask mAP50-95, " in trial_note(row, parent)
    assert " mask mAP50-95" in headline(rows) and " mAP50-95" not in headline(rows).replace("mask mAP50-95", "")


def test_noise_and_the_parents_training_are_those_of_masks() -> None:
    parent, trial = flat(RECORDS[0]), named("trial 7")
    better = [with_masks(parent, 0.5), with_masks(trial, 0.531)]
    assert "trial 7, made from it, has 0.031 more mask mAP50-95" in parent_warning(better)
    assert parent_warning([with_masks(parent, 0.5), with_masks(trial, 0.4)]) == ""
    again = with_masks(repeated(trial, 0.0), 0.411)
    noise = training_noise([with_masks(parent, 0.5), with_masks(trial, 0.4), again])
    assert noise is not None and noise.typical == pytest.approx(0.011)
    of_boxes, of_masks = trials_to_repeat(RECORDS, 1), trials_to_repeat(mirrored(RECORDS), 1)
    assert boxes(of_masks[0]) < boxes(of_boxes[0])


def test_a_trial_is_stopped_by_the_front_of_masks() -> None:
    known = complete_trials(30, seed=0)
    hopeless = replace(known[0].rungs[0], map50_95=0.0, map50=0.0, loss=9.0)
    trial = RunningTrial(4.0, [hopeless], EPOCHS)
    assert "will reach mAP50-95" in FrontRule().reason_to_stop(trial, known)
    masks = [with_masks(each, boxes(each)) for each in known]
    assert "will reach mask mAP50-95" in FrontRule().reason_to_stop(trial, masks)
    low = [with_masks(each, -1.0) for each in known]
    assert front_at(4.0, low) == -1.0 and FrontRule().reason_to_stop(trial, low) == ""


@pytest.mark.parametrize("rule", [FrontRule(), MoAsha()])
def test_rules_know_the_accuracy_of_the_learning_curves_alone(rule: FrontRule | MoAsha) -> None:
    assert rule.handles(OBJECTIVES, MASK_MAP50_95.name)
    assert not rule.handles(OBJECTIVES)
    of_boxes = ((MAP50_95.name, Direction.MAXIMIZE), LATENCY)
    assert rule.handles(of_boxes) and not rule.handles(of_boxes, MASK_MAP50_95.name)
